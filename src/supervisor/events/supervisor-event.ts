// Events of the supervisor itself, numbered with those of the core, and logged when they are published.
import { describeSupervisorEvent, type SupervisorEvent } from "../../control/supervisor-events.ts";
import { wallTime } from "../state/facts.ts";
import type { Level } from "../state/front-end.ts";
import type { Memory } from "../state/store.ts";
import { log } from "./log.ts";

/**
 * Records an event; `now` is CLOCK_MONOTONIC ms. Before crank serves, it goes to the log alone: if another crank's workers are
 * adopted, its events go on with that one's numbers.
 */
export const recordEvent = (memory: Memory, event: SupervisorEvent, now: number): void => {
  if (memory.boot.stage === "serving") memory.events.add(event, wallTime(memory.facts, now));
  else logSupervisorEvent(memory, event);
};

/** The line of the log for it, the same under every front end. */
export const logSupervisorEvent = (memory: Memory, event: SupervisorEvent): void => {
  // Narrowed by the key: the table has for each kind the level of that kind, or the function that knows it.
  const level = LEVELS[event.kind] as Level | ((event: SupervisorEvent) => Level);
  log(memory, typeof level === "string" ? level : level(event), describeSupervisorEvent(event));
};

type OfKind<K extends SupervisorEvent["kind"]> = Extract<SupervisorEvent, { kind: K }>;

const LEVELS: { readonly [K in SupervisorEvent["kind"]]: Level | ((event: OfKind<K>) => Level) } = {
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
