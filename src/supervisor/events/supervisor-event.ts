// What the supervisor has to tell beside the core's notes: noted in the same numbers, and logged when it is told.
import { describeHappening, type Happening } from "../../control/happenings.ts";
import { wallTime } from "../state/facts.ts";
import type { Level } from "../state/front-end.ts";
import type { Memory } from "../state/store.ts";
import { log } from "./log.ts";

/**
 * Takes note of it; `now` is CLOCK_MONOTONIC ms. Before crank serves, it goes to the log alone: if another crank's workers are
 * adopted, its events go on with that one's numbers.
 */
export const happen = (memory: Memory, happening: Happening, now: number): void => {
  if (memory.boot.stage === "serving") memory.notes.add(happening, wallTime(memory.facts, now));
  else logHappening(memory, happening);
};

/** The line of the log for it, the same under every front end. */
export const logHappening = (memory: Memory, happening: Happening): void => {
  // Narrowed by the key: the table has for each kind the level of that kind, or the function that knows it.
  const level = LEVELS[happening.kind] as Level | ((happening: Happening) => Level);
  log(memory, typeof level === "string" ? level : level(happening), describeHappening(happening));
};

type OfKind<K extends Happening["kind"]> = Extract<Happening, { kind: K }>;

const LEVELS: { readonly [K in Happening["kind"]]: Level | ((happening: OfKind<K>) => Level) } = {
  supervisorDied: "warning",
  messageSetAside: "error",
  runDirectoryGone: "warning",
  journalFailed: "error",
  journalRestored: "info",
  recordFailed: "error",
  releaseGone: "warning",
  recordRestored: "info",
  listenerShutDown: ({ failure }) => (failure === null ? "warning" : "error"),
  socketName: ({ state }) => (state === "taken" || state === "blocked" ? "error" : "warning"),
  socketNameFailed: "warning",
  backlogRestored: "warning",
  socketsNotHeld: "warning",
  socketsUnseen: "warning",
  socketsUnaccepted: "warning",
  // Whoever sent a request has been told.
  upgradeRefused: ({ by }) => (by === null ? "debug" : "error"),
  upgradeStarted: "debug",
  upgradeDone: "info",
  upgradeFailed: "error",
  socketTaken: "info",
  workerNotAdopted: "warning",
  adoptionLoss: "warning",
  adopted: "info",
  workersLeft: "info",
  workerErrno: "info",
  processesKilled: "warning",
  // Who only says what it is doing may say it often.
  wordsRefused: ({ words }) => (words.startsWith("READY=") ? "warning" : "debug"),
  wordsNotUnderstood: "warning",
  tokenRefused: "warning",
  watchdogRefused: "warning",
  descriptorsStored: "debug",
  descriptorsGiven: "debug",
  descriptorsLost: ({ cause }) => (cause === "peer" ? "debug" : "warning"),
};
