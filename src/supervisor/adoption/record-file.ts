// The record as a file: created, and read when crank starts. Unusable parts are kept in another file.
import type { GoodSpec } from "../../core/model/spec.ts";
import { log } from "../events/log.ts";
import { StartError } from "../sockets/sockets.ts";
import type { Settings } from "../state/settings.ts";
import type { Store } from "../state/store.ts";
import { EMPTY_RECORD, parseRecord } from "./record.ts";

/** Makes sure that the record can be used. Returns the problem if there is one. */
export const prepareRecord = ({ platform }: Store, { recordPath }: Settings): string | null => {
  const failure = recordPath === null ? null : platform.ensureFile(recordPath, EMPTY_RECORD);
  if (failure === null) return null;
  const advice = failure === "no such file or directory" ? "create its directory, or choose" : "choose";
  return `the record ${recordPath} cannot be written: ${failure}; ${advice} another with -prefix or -conf`;
};

/** The good specs of the record. Unusable parts are kept in another file; if nothing is usable, crank starts empty. */
export const readRecord = async (store: Store, settings: Settings, path: string): Promise<readonly GoodSpec[]> => {
  const { platform } = store;
  platform.removeTemporaries(path);
  const file = platform.readText(path);
  if (file.kind !== "text")
    throw new StartError(
      `the record ${path} cannot be read: ${file.kind === "failed" ? file.reason : "it was removed"}`,
    );
  const reading = parseRecord(file.text, settings.defaults, settings.cwd);
  if (reading.kind === "history") {
    if (reading.leftOut.length > 0) await sayLeftOut(store, path, file.text, reading);
    return reading.history;
  }
  const aside = platform.quarantine(path);
  const failure = aside === null ? "it cannot be renamed" : await platform.replaceFile(path, EMPTY_RECORD, "asBefore");
  if (failure !== null)
    throw new StartError(`the record ${path} ${reading.reason}, and cannot be replaced: ${failure}`);
  log(store, "warning", `The record ${path} ${reading.reason}; it is kept as ${aside}, and crank starts empty`);
  return [];
};

const sayLeftOut = async (
  store: Store,
  path: string,
  text: string,
  { leftOut, history }: { readonly leftOut: readonly string[]; readonly history: readonly GoodSpec[] },
): Promise<void> => {
  const copy = await keepCopy(store, path, text);
  const kept = history.length === 1 ? "one good run" : `${history.length} good runs`;
  log(
    store,
    "warning",
    `The record ${path} ${leftOut.slice(0, MOST_REPORTED).join("; it ")}; crank continues with ${kept} of it, and keeps a copy of the whole file as ${copy}`,
  );
};
/** How many faults of a damaged record are logged. */
const MOST_REPORTED = 3;

/**
 * Copies the record to another file before it is replaced. The record itself stays in place until then: the next crank
 * finds it even if this one is interrupted.
 */
export const keepCopy = async ({ platform }: Store, path: string, text: string): Promise<string> => {
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
