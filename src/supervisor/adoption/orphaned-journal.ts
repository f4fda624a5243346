// What a killed crank left, examined when another one starts: its journal, or its workers without one. Unusable files
// are kept under another name.
import { mergeHistories } from "../../core/model/history.ts";
import type { GoodSpec } from "../../core/model/spec.ts";
import { log } from "../events/log.ts";
import { logSupervisorEvent } from "../events/supervisor-event.ts";
import { FileError } from "../os/file-error.ts";
import { StartError } from "../sockets/sockets.ts";
import { saveBoot } from "../state/save.ts";
import type { Settings } from "../state/settings.ts";
import type { Store } from "../state/store.ts";
import { beginAdoption } from "./adoption.ts";
import { examine, examineOrphans } from "./orphaned-service.ts";
import type { Orphan } from "./orphaned-workers.ts";

/** The journal at the path; null: there is none. Throws StartError if it cannot be trusted. */
const readJournalBytes = ({ platform }: Store, path: string): Uint8Array | null => {
  try {
    return platform.readBytes(path);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new StartError(`the journal ${path} cannot be used: ${error.message}; remove it`);
  }
};

/**
 * What a left journal says; its crank was killed. `isAdopting`: its workers live, and are to be adopted. `history`,
 * `nextGeneration`: what it knew beyond the record.
 */
export type OrphanedJournal = {
  readonly isAdopting: boolean;
  readonly history: readonly GoodSpec[];
  readonly nextGeneration: number;
};
const NO_JOURNAL: OrphanedJournal = { isAdopting: false, history: [], nextGeneration: 1 };

/** Examines what a killed crank left, if there is one: its journal or, without a valid one, its orphaned workers. */
export const examineOrphanedJournal = async (
  store: Store,
  settings: Settings,
  path: string,
  recorded: readonly GoodSpec[],
): Promise<OrphanedJournal> => {
  store.platform.removeTemporaries(path);
  const bytes = readJournalBytes(store, path);
  const isLeaving = settings.leftWorkers === "leave";
  if (bytes === null) {
    const isAdopting = store.boot.follows === "killed" && !isLeaving && (await adoptOrphans(store, settings, recorded));
    return isAdopting ? { ...NO_JOURNAL, isAdopting: true } : NO_JOURNAL;
  }
  saveBoot(store, { ...store.boot, follows: "journal" });
  const verdict = await examine(store, settings, bytes);
  if (verdict.kind === "aside") {
    setJournalAside(store, path, verdict.reason);
    const isAdopting = verdict.isStale && !isLeaving && (await adoptOrphans(store, settings, recorded));
    return isAdopting ? { ...NO_JOURNAL, isAdopting: true } : NO_JOURNAL;
  }
  const { nextGeneration } = verdict;
  // A deploy may have completed just before everything was killed, and not be in the record.
  const history = verdict.recordPath === settings.recordPath ? verdict.history : [];
  if (isLeaving && verdict.kind === "adopt") {
    const pids = verdict.adoption.workers.map(({ pid }) => pid).join(", ");
    setJournalAside(
      store,
      path,
      `was left by a crank that was killed; its workers keep running without a crank (pid ${pids})`,
    );
    return { isAdopting: false, history, nextGeneration };
  }
  // A journal that could neither be written nor removed is older than the workers that are missing from it.
  const known = verdict.kind === "adopt" ? verdict.adoption.workers : [];
  const isOlder = (orphans: readonly Orphan[]): boolean =>
    orphans.some(({ worker, keeper, holds }) => holds && keeper === verdict.pid && !verdict.workers.includes(worker)) &&
    known.every(({ pid }) => orphans.some(({ facts }) => facts.pid === pid));
  const merged = mergeHistories(history, recorded, false).history;
  if (!isLeaving && (await adoptOrphans(store, settings, merged, isOlder)))
    return { isAdopting: true, history, nextGeneration };
  if (verdict.kind === "noWorkers") {
    log(
      store,
      "warning",
      `Crank ${verdict.pid} was killed, and none of its workers runs any more; starting without workers`,
    );
    for (const { id, reason } of verdict.lost) log(store, "info", `Worker ${id} cannot be adopted: ${reason}`);
    for (const loss of verdict.losses) logSupervisorEvent(store, loss);
    return { isAdopting: false, history, nextGeneration };
  }
  beginAdoption(store, verdict.adoption);
  return { isAdopting: true, history, nextGeneration };
};

/** Notes orphaned workers without a journal, if they can be adopted. Throws StartError if there are others. */
export const adoptOrphans = async (
  store: Store,
  settings: Settings,
  history: readonly GoodSpec[],
  isWanted?: (orphans: readonly Orphan[]) => boolean,
): Promise<boolean> => {
  const verdict = await examineOrphans(store, settings, history, isWanted);
  if (verdict.kind === "none") return false;
  if (verdict.kind === "unknown") {
    const pids = verdict.orphans.map(({ facts }) => facts.pid);
    throw new StartError(
      `a crank that was killed left workers (pid ${pids.join(", ")}) without a journal, and the record ${settings.recordPath} does not have their runs; stop them (kill ${pids.join(" ")}), then start crank again`,
    );
  }
  const { adoption } = verdict;
  const named = adoption.workers.map(({ id, pid }) => `${id} (pid ${pid})`).join(", ");
  const rest = adoption.orphans?.isUncertain === true ? "; the recorded run replaces them" : "";
  log(
    store,
    "warning",
    `There is no journal of the workers ${named}; they are adopted with their recorded runs${rest}`,
  );
  beginAdoption(store, adoption);
  return true;
};

const setJournalAside = (store: Store, path: string, reason: string): void => {
  const aside = store.platform.quarantine(path);
  if (aside === null) throw new StartError(`the journal ${path} of another crank cannot be renamed; remove it`);
  log(store, "warning", `The journal ${path} ${reason}; it is kept as ${aside}`);
};
