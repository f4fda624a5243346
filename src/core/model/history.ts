// The history of good runs: one entry for each generation, in the order of their numbers, at most HISTORY_LENGTH. Every
// way in leads through here, so that what is written is always what can be read.
import { type GoodSpec, HISTORY_LENGTH, isSameSpec } from "./spec.ts";

/** The history after another good run. The same again takes the place of what it was: the way back leads to something else. */
export const withGood = (history: readonly GoodSpec[], good: GoodSpec): readonly GoodSpec[] => {
  const newest = history.at(-1);
  if (newest && isSameSpec(newest.spec, good.spec)) return history.with(-1, good);
  const all = history.concat([good]);
  return all.length > HISTORY_LENGTH ? all.slice(-HISTORY_LENGTH) : all;
};

/** A history out of entries as they come: each number once (the last one counts), in order, the same again once, the newest. */
export const historyOf = (entries: readonly GoodSpec[]): readonly GoodSpec[] => {
  const byNumber = new Map(entries.map((good) => [good.generation, good]));
  const ordered = [...byNumber.values()].sort((a, b) => a.generation - b.generation);
  return ordered.reduce(withGood, [] as readonly GoodSpec[]);
};

/** Whether two histories say the same. */
export const isSameHistory = (a: readonly GoodSpec[], b: readonly GoodSpec[]): boolean =>
  a.length === b.length &&
  a.every((good, index) => {
    const other = b[index];
    return other !== undefined && isSameRun(good, other);
  });

/** Whether two entries are of one run. */
const isSameRun = (a: GoodSpec, b: GoodSpec): boolean =>
  a.generation === b.generation && a.at === b.at && isSameSpec(a.spec, b.spec);

export type Merged = {
  readonly history: readonly GoodSpec[];
  /** Runs of the record that are not in it although they are among the newest. */
  readonly leftOut: readonly GoodSpec[];
};

/**
 * One history out of what the journal and the record hold. Under one number stands one run: where the two differ, that
 * of the journal, which belongs to the workers that live. A record that is not the one that the journal's crank wrote
 * (`isForeign`) adds no run that would be taken for a later one.
 */
export const mergeHistories = (
  journal: readonly GoodSpec[],
  record: readonly GoodSpec[],
  isForeign: boolean,
): Merged => {
  const known = new Map(journal.map((good) => [good.generation, good]));
  const newest = journal.at(-1)?.generation ?? Number.POSITIVE_INFINITY;
  const isLater = ({ generation }: GoodSpec): boolean => isForeign && generation > newest;
  const added = record.filter((good) => !known.has(good.generation) && !isLater(good));
  const leftOut = record.filter((good) => {
    const other = known.get(good.generation);
    return other ? !isSameSpec(other.spec, good.spec) : isLater(good);
  });
  return { history: historyOf([...added, ...journal]), leftOut };
};

/** The number that follows on all that were given in these histories. */
export const numberAfter = (...histories: readonly (readonly GoodSpec[])[]): number =>
  histories.flat().reduce((most, { generation }) => Math.max(most, generation), 0) + 1;
