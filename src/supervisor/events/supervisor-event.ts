// Events of the supervisor itself, numbered with those of the core, and logged when they are published.
import { describeSupervisorEvent } from "../../control/supervisor-event-text.ts";
import type { SupervisorEvent } from "../../control/supervisor-events.ts";
import type { Level } from "../state/front-end.ts";
import type { Store } from "../state/store.ts";
import { wallTime } from "../state/wall-time.ts";
import { log } from "./log.ts";

/**
 * Records an event; `now` is CLOCK_MONOTONIC ms. Before crank serves, it only goes to the log: if workers are adopted,
 * event numbers continue those of their crank.
 */
export const recordEvent = (store: Store, event: SupervisorEvent, now: number): void => {
  if (store.boot.stage === "serving") store.events.add(event, wallTime(store.facts, now));
  else logSupervisorEvent(store, event);
};

/** Logs the event, the same way under every front end. */
export const logSupervisorEvent = (store: Store, event: SupervisorEvent): void => {
  // Narrowed by the key: the table has for each kind the level of that kind, or the function that knows it.
  const level = LEVELS[event.kind] as Level | ((event: SupervisorEvent) => Level);
  log(store, typeof level === "string" ? level : level(event), describeSupervisorEvent(event));
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
  // The client that sent the request has its answer.
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
  // Processes may often report a mere status.
  wordsRefused: ({ words }) => (words.startsWith("READY=") ? "warning" : "debug"),
  wordsNotUnderstood: "warning",
  tokenRefused: "warning",
  watchdogRefused: "warning",
  descriptorsStored: "debug",
  descriptorsGiven: "debug",
  descriptorsLost: ({ cause }) => (cause === "peer" ? "debug" : "warning"),
};
