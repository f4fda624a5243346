// The files of crank's own start: the record and the run directory made ready, the record read, and the journal that a killed
// crank left looked at. What cannot be used is kept aside.
import type { GoodSpec } from "../core/spec.ts";
import { logHappening } from "./happen.ts";
import { log } from "./log.ts";
import type { Memory } from "./memory.ts";
import { EMPTY_RECORD, parseRecord } from "./record.ts";
import type { Settings } from "./settings.ts";
import { StartError } from "./sockets.ts";

/** A file of the run directory; null: there is no such directory. */
export const runPath = ({ runDirectory }: Settings, name: "journal" | "notify"): string | null =>
  runDirectory === null ? null : `${runDirectory}/${name}`;

/** Makes sure that the record and the run directory can be used. Returns what is in the way. */
export const prepareFiles = (memory: Memory, settings: Settings): string | null => {
  const { platform } = memory;
  const record = settings.recordPath === null ? null : platform.ensureFile(settings.recordPath, EMPTY_RECORD);
  if (record !== null) {
    return `the record ${settings.recordPath} cannot be written: ${record}; make its directory, or choose another with -prefix or -conf`;
  }
  for (const directory of [settings.runDirectory, runPath(settings, "notify")]) {
    const failure = directory === null ? null : platform.ensureDirectory(directory);
    if (failure !== null) return `the directory ${directory} cannot be used: ${failure}`;
  }
  return null;
};

/** The good specs that the record holds. One that cannot be used is kept aside, and crank starts empty. */
export const readRecord = async (memory: Memory, settings: Settings, path: string): Promise<readonly GoodSpec[]> => {
  const { platform } = memory;
  const file = platform.readText(path);
  if (file.kind !== "text")
    throw new StartError(`the record ${path} cannot be read: ${file.kind === "failed" ? file.reason : "it is gone"}`);
  const reading = parseRecord(file.text, settings.defaults, settings.cwd);
  if (reading.kind === "history") return reading.history;
  const aside = platform.setAside(path);
  const failure = aside === null ? "it cannot be renamed" : await platform.replaceFile(path, EMPTY_RECORD, "asBefore");
  if (failure !== null)
    throw new StartError(`the record ${path} ${reading.reason}, and cannot be replaced: ${failure}`);
  log(memory, "warning", `The record ${path} ${reading.reason}; it is kept as ${aside}, and crank starts empty`);
  return [];
};

/** A journal that is still there was left by a crank that was killed. True: its workers live, and are to be adopted. */
export const lookForLeft = async (memory: Memory, settings: Settings, path: string): Promise<boolean> => {
  const bytes = memory.platform.readBytes(path);
  if (bytes === null) return false;
  const { examine } = await import("./left-service.ts");
  const verdict = await examine(memory, settings, bytes);
  if (verdict.kind === "aside") {
    setJournalAside(memory, path, verdict.reason);
    return false;
  }
  if (verdict.kind === "nobody") {
    log(memory, "warning", `Crank ${verdict.pid} was killed, and none of its workers is left; starting anew`);
    for (const { id, reason } of verdict.lost) log(memory, "info", `Worker ${id} cannot be adopted: ${reason}`);
    for (const loss of verdict.losses) logHappening(memory, loss);
    return false;
  }
  if (settings.leftWorkers === "leave") {
    const pids = verdict.adoption.workers.map(({ pid }) => pid).join(", ");
    setJournalAside(memory, path, `was left by a crank that was killed; its workers go on without one (pid ${pids})`);
    return false;
  }
  const { beginAdoption } = await import("./adoption.ts");
  beginAdoption(memory, verdict.adoption);
  return true;
};

const setJournalAside = (memory: Memory, path: string, reason: string): void => {
  const aside = memory.platform.setAside(path);
  if (aside === null) throw new StartError(`the journal ${path} that another crank left cannot be renamed; remove it`);
  log(memory, "warning", `The journal ${path} ${reason}; it is kept as ${aside}`);
};
