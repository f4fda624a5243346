// The history of good deploys: one entry per generation, ordered by number, at most HISTORY_LENGTH. All histories are
// made here, so that what is written can always be read.
import { type GoodSpec, HISTORY_LENGTH, isSameSpec } from "./spec.ts";

/**
 * The history after another good deploy. A repeat of the newest spec replaces it, so that going back leads to another
 * spec.
 */
export const withGood = (history: readonly GoodSpec[], good: GoodSpec): readonly GoodSpec[] => {
  const newest = history.at(-1);
  if (newest && isSameSpec(newest.spec, good.spec)) return history.with(-1, good);
  const all = history.concat([good]);
  return all.length > HISTORY_LENGTH ? all.slice(-HISTORY_LENGTH) : all;
};

/**
 * A history from any entries: one per number (the last one), ordered. Of repeats of a spec in a row the newest is kept.
 */
export const historyOf = (entries: readonly GoodSpec[]): readonly GoodSpec[] => {
  const byNumber = new Map(entries.map((good) => [good.generation, good]));
  const ordered = [...byNumber.values()].sort((a, b) => a.generation - b.generation);
  return ordered.reduce(withGood, [] as readonly GoodSpec[]);
};

/** Whether two histories are equal. */
export const isSameHistory = (a: readonly GoodSpec[], b: readonly GoodSpec[]): boolean =>
  a.length === b.length &&
  a.every((good, index) => {
    const other = b[index];
    return other !== undefined && isSameRun(good, other);
  });

/** Whether two entries are of the same deploy. */
const isSameRun = (a: GoodSpec, b: GoodSpec): boolean =>
  a.generation === b.generation && a.at === b.at && isSameSpec(a.spec, b.spec);

export type Merged = {
  readonly history: readonly GoodSpec[];
  /** Entries of the record that conflict with the journal, or that are foreign and later. */
  readonly leftOut: readonly GoodSpec[];
};

/**
 * Merges the histories of the journal and the record. If they differ under a number, the journal's entry counts,
 * because it belongs to the living workers. A record that this journal's crank did not write (`isForeign`) adds no
 * entry that is later than the journal's newest.
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

/** The lowest number above all numbers in these histories. */
export const numberAfter = (...histories: readonly (readonly GoodSpec[])[]): number =>
  histories.flat().reduce((most, { generation }) => Math.max(most, generation), 0) + 1;
