// The files of crank's own start: the record and the run directory made ready, the record read, and the journal that a killed
// crank left looked at. What cannot be used is kept aside.
import { mergeHistories } from "../core/history.ts";
import type { GoodSpec } from "../core/spec.ts";
import { FileError } from "./files.ts";
import { happen, logHappening } from "./happen.ts";
import { lockCommand, locksOf } from "./locks.ts";
import { log } from "./log.ts";
import { type Memory, rememberBoot } from "./memory.ts";
import type { Orphan } from "./orphans.ts";
import { EMPTY_RECORD, parseRecord } from "./record.ts";
import type { Settings } from "./settings.ts";
import { StartError } from "./sockets.ts";

/** A file of the run directory; null: there is no such directory. */
export const runPath = ({ runDirectory }: Settings, name: "journal" | "notify"): string | null =>
  runDirectory === null ? null : `${runDirectory}/${name}`;

/**
 * A run directory that nobody named lies beside the control socket. Where others can exchange it there, crank does without one;
 * `problem` says so.
 */
export const withSafeRunDirectory = (
  { platform }: Memory,
  settings: Settings,
): { readonly settings: Settings; readonly problem: string | null } => {
  const { program, name, runDirectory } = settings;
  const isNamed = program === "crank" && name !== "";
  const unsafe = isNamed || runDirectory === null ? null : platform.unsafePlace(runDirectory);
  if (unsafe === null) return { settings, problem: null };
  const problem = `The directory ${runDirectory} is not used: ${unsafe}. The journal is in memory, so that workers cannot be adopted should crank be killed, and they are given NOTIFY_FD, but no NOTIFY_SOCKET`;
  return { settings: { ...settings, runDirectory: null }, problem };
};

/**
 * Where the files of crank's unix sockets have their second names (keeper/names.c). Nobody else gets there: the directory of the
 * first name may be what protects a socket.
 */
export const secondNames = ({ runDirectory }: Settings): string | null =>
  runDirectory === null ? null : `${runDirectory}/names`;

/** Makes sure that the record and the run directory can be used. Returns what is in the way. */
export const prepareFiles = (memory: Memory, settings: Settings): string | null => {
  const { platform } = memory;
  const record = settings.recordPath === null ? null : platform.ensureFile(settings.recordPath, EMPTY_RECORD);
  if (record !== null) {
    return `the record ${settings.recordPath} cannot be written: ${record}; make its directory, or choose another with -prefix or -conf`;
  }
  return makeRunDirectory(memory, settings);
};

/** Makes the run directory and what belongs in it, if it is missing. Returns what is in the way. */
const makeRunDirectory = ({ platform }: Memory, settings: Settings): string | null => {
  const names = secondNames(settings);
  for (const directory of [settings.runDirectory, runPath(settings, "notify"), names]) {
    const failure =
      directory === null ? null : platform.ensureDirectory(directory, directory === names ? "owner" : "passable");
    if (failure !== null) return `the directory ${directory} cannot be used: ${failure}`;
  }
  return null;
};

/**
 * Looks at the run directory again, which something else may have removed (a cleaner of /tmp): workers are given a socket in
 * it, and the keeper's journal goes back there by itself. The lock is taken again with it.
 */
export const restoreRunDirectory = (memory: Memory, now: number): void => {
  const { settings, platform } = memory;
  const notify = settings === null ? null : runPath(settings, "notify");
  if (settings === null || notify === null || platform.realPath(notify) !== null) return;
  const failure = makeRunDirectory(memory, settings);
  for (const lock of failure === null ? locksOf(settings) : []) memory.outbox.command(lockCommand(lock));
  happen(memory, { kind: "runDirectoryGone", directory: settings.runDirectory ?? notify, failure }, now);
};

/** The good specs that the record holds. What cannot be understood is kept aside; if that is all, crank starts empty. */
export const readRecord = async (memory: Memory, settings: Settings, path: string): Promise<readonly GoodSpec[]> => {
  const { platform } = memory;
  platform.removeTemporaries(path);
  const file = platform.readText(path);
  if (file.kind !== "text")
    throw new StartError(`the record ${path} cannot be read: ${file.kind === "failed" ? file.reason : "it is gone"}`);
  const reading = parseRecord(file.text, settings.defaults, settings.cwd);
  if (reading.kind === "history") {
    if (reading.leftOut.length > 0) await sayLeftOut(memory, path, file.text, reading);
    return reading.history;
  }
  const aside = platform.setAside(path);
  const failure = aside === null ? "it cannot be renamed" : await platform.replaceFile(path, EMPTY_RECORD, "asBefore");
  if (failure !== null)
    throw new StartError(`the record ${path} ${reading.reason}, and cannot be replaced: ${failure}`);
  log(memory, "warning", `The record ${path} ${reading.reason}; it is kept as ${aside}, and crank starts empty`);
  return [];
};

/** The journal that is at the path; null: there is none. Throws StartError if it is not one to be believed. */
const leftJournal = ({ platform }: Memory, path: string): Uint8Array | null => {
  try {
    return platform.readBytes(path);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new StartError(`the journal ${path} cannot be used: ${error.message}; remove it`);
  }
};

const sayLeftOut = async (
  memory: Memory,
  path: string,
  text: string,
  { leftOut, history }: { readonly leftOut: readonly string[]; readonly history: readonly GoodSpec[] },
): Promise<void> => {
  const copy = await keepCopy(memory, path, text);
  const kept = history.length === 1 ? "one good run" : `${history.length} good runs`;
  log(
    memory,
    "warning",
    `The record ${path} ${leftOut.slice(0, MOST_TOLD).join("; it ")}; crank goes on with ${kept} of it, and keeps a copy of all as ${copy}`,
  );
};
/** Of a record that is damaged all over, so many faults are told. */
const MOST_TOLD = 3;

/**
 * Keeps what the record holds in another file, before it is replaced. The record itself stays where it is meanwhile:
 * however crank is interrupted, the next one finds it.
 */
export const keepCopy = async ({ platform }: Memory, path: string, text: string): Promise<string> => {
  const isTaken = (name: string): boolean => {
    const file = platform.readText(name);
    return file.kind === "failed" || (file.kind === "text" && file.text !== text);
  };
  let number = 1;
  while (number < MOST_COPIES && isTaken(`${path}.bad-${number}`)) number++;
  const name = `${path}.bad-${number}`;
  const failure = await platform.replaceFile(name, text, "owner");
  return failure === null ? name : `nothing (${name}: ${failure})`;
};
const MOST_COPIES = 9;

/**
 * What a journal that is still there says: it was left by a crank that was killed. `isAdopting`: its workers live, and are to
 * be adopted. `history`, `nextGeneration`: what it knew beyond the record.
 */
export type LeftJournal = {
  readonly isAdopting: boolean;
  readonly history: readonly GoodSpec[];
  readonly nextGeneration: number;
};
const NO_JOURNAL: LeftJournal = { isAdopting: false, history: [], nextGeneration: 1 };

/** Looks at what a crank that was killed left, if one was: its journal, or, without one that counts, its workers by themselves. */
export const lookForLeft = async (
  memory: Memory,
  settings: Settings,
  path: string,
  recorded: readonly GoodSpec[],
): Promise<LeftJournal> => {
  memory.platform.removeTemporaries(path);
  const bytes = leftJournal(memory, path);
  const isLeaving = settings.leftWorkers === "leave";
  if (bytes === null) {
    const isLeft = memory.boot.follows === "killed" && !isLeaving && (await adoptOrphans(memory, settings, recorded));
    return isLeft ? { ...NO_JOURNAL, isAdopting: true } : NO_JOURNAL;
  }
  rememberBoot(memory, { ...memory.boot, follows: "journal" });
  const { examine } = await import("./left-service.ts");
  const verdict = await examine(memory, settings, bytes);
  if (verdict.kind === "aside") {
    setJournalAside(memory, path, verdict.reason);
    const isLeft = verdict.isStale && !isLeaving && (await adoptOrphans(memory, settings, recorded));
    return isLeft ? { ...NO_JOURNAL, isAdopting: true } : NO_JOURNAL;
  }
  const { nextGeneration } = verdict;
  // A run may have been good, and everything killed before it was recorded.
  const history = verdict.recordPath === settings.recordPath ? verdict.history : [];
  if (isLeaving && verdict.kind === "adopt") {
    const pids = verdict.adoption.workers.map(({ pid }) => pid).join(", ");
    setJournalAside(memory, path, `was left by a crank that was killed; its workers go on without one (pid ${pids})`);
    return { isAdopting: false, history, nextGeneration };
  }
  // A journal that could neither be written nor removed is older than the workers that it does not know.
  const known = verdict.kind === "adopt" ? verdict.adoption.workers : [];
  const isOlder = (orphans: readonly Orphan[]): boolean =>
    orphans.some(({ worker, keeper, holds }) => holds && keeper === verdict.pid && !verdict.workers.includes(worker)) &&
    known.every(({ pid }) => orphans.some(({ facts }) => facts.pid === pid));
  const merged = mergeHistories(history, recorded, false).history;
  if (!isLeaving && (await adoptOrphans(memory, settings, merged, isOlder)))
    return { isAdopting: true, history, nextGeneration };
  if (verdict.kind === "nobody") {
    log(memory, "warning", `Crank ${verdict.pid} was killed, and none of its workers is left; starting anew`);
    for (const { id, reason } of verdict.lost) log(memory, "info", `Worker ${id} cannot be adopted: ${reason}`);
    for (const loss of verdict.losses) logHappening(memory, loss);
    return { isAdopting: false, history, nextGeneration };
  }
  const { beginAdoption } = await import("./adoption.ts");
  beginAdoption(memory, verdict.adoption);
  return { isAdopting: true, history, nextGeneration };
};

/** Takes note of workers that no journal tells of, if there are any that can be adopted. Throws StartError where there are others. */
export const adoptOrphans = async (
  memory: Memory,
  settings: Settings,
  history: readonly GoodSpec[],
  isWanted?: (orphans: readonly Orphan[]) => boolean,
): Promise<boolean> => {
  const { examineOrphans } = await import("./left-service.ts");
  const verdict = await examineOrphans(memory, settings, history, isWanted);
  if (verdict.kind === "none") return false;
  if (verdict.kind === "unknown") {
    const pids = verdict.orphans.map(({ facts }) => facts.pid);
    throw new StartError(
      `a crank that was killed left workers (pid ${pids.join(", ")}) without a journal, and the record ${settings.recordPath} does not say what they run; end them (kill ${pids.join(" ")}), then start crank again`,
    );
  }
  const { adoption } = verdict;
  const named = adoption.workers.map(({ id, pid }) => `${id} (pid ${pid})`).join(", ");
  const rest = adoption.orphans?.isUncertain === true ? "; what the record holds is deployed in their place" : "";
  log(
    memory,
    "warning",
    `No journal tells of the workers ${named}; they are adopted by what the record says of them${rest}`,
  );
  const { beginAdoption } = await import("./adoption.ts");
  beginAdoption(memory, adoption);
  return true;
};

const setJournalAside = (memory: Memory, path: string, reason: string): void => {
  const aside = memory.platform.setAside(path);
  if (aside === null) throw new StartError(`the journal ${path} that another crank left cannot be renamed; remove it`);
  log(memory, "warning", `The journal ${path} ${reason}; it is kept as ${aside}`);
};
