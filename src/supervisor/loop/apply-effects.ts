// Passes one event through the core and carries out its effects: as commands, answers, events and log lines.

import { isSupervisorEvent } from "../../control/supervisor-event-text.ts";
import type { Effect, ServiceEvent } from "../../core/model/effects.ts";
import type { CoreEvent, WorkerReady } from "../../core/model/events.ts";
import { type Step, step } from "../../core/step.ts";
import { LIMITS } from "../../keeper/protocol.ts";
import { answer, finish, giveHeldAnswers, notify, workerIsGone } from "../control/replies.ts";
import { log } from "../events/log.ts";
import { logSupervisorEvent } from "../events/supervisor-event.ts";
import { beginMeasurement } from "../metrics/measuring.ts";
import { signalNumber } from "../os/signals.ts";
import { keepBacklogs } from "../sockets/backlog.ts";
import { lookAtNames } from "../sockets/names.ts";
import { restoreRunDirectory } from "../sockets/run-directory.ts";
import { closeSockets, leave } from "../startup/exit.ts";
import { countEvent, forgetPending, forgetReport, saveCore } from "../state/save.ts";
import type { Store } from "../state/store.ts";
import { wallTime } from "../state/wall-time.ts";
import { saveLastFailure } from "../systemd/service-manager.ts";
import { beginAcceptCheck } from "../workers/serving/accepting.ts";
import { withPins } from "../workers/start/pins.ts";
import { startProbe, startWorker } from "../workers/start/starts.ts";
import { reconcileStored } from "../workers/start/stored-descriptors.ts";

/**
 * Passes an event to the core, stores its new state and carries out the effects; `signals`: whether they were sent
 * already.
 */
export const advance = (store: Store, event: CoreEvent, signals: "unsent" | "sent" = "unsent"): void =>
  follow(store, event, step(store.core, event), signals);

/** The same, at the end of the keeper's event: its effects can be sent in two parts (decision.ts). */
export const advanceLast = (store: Store, event: WorkerReady): void => {
  store.last = event;
};

/** Stores the state after a step and carries out its effects; `signals`: whether they were sent already. */
export const follow = (
  store: Store,
  event: CoreEvent,
  { state, effects }: Step,
  signals: "unsent" | "sent" = "unsent",
): void => {
  const before = store.core.generations;
  saveCore(store, withPins(store, store.core, state));
  reconcileStored(store, event.now);
  for (const effect of effects) {
    // The answer may be about a generation that is pruned by now.
    if (effect.kind === "answer") answer(store, effect.request, effect.outcome, before);
    else if (effect.kind !== "signal" || signals === "unsent") applyEffect(store, effect, event.now);
  }
};

export const applyEffect = (store: Store, effect: Exclude<Effect, { kind: "answer" }>, now: number): void => {
  switch (effect.kind) {
    case "start":
      restoreRunDirectory(store, now);
      return startWorker(store, effect.worker);
    case "signal":
      store.batch.command({
        kind: "signal",
        worker: effect.worker,
        signal: signalNumber(effect.signal),
        group: effect.target === "tree" ? 1 : 0,
      });
      return;
    case "probe":
      store.probed.set(effect.probe, effect.worker);
      return startProbe(store, effect.probe);
    case "measure":
      return beginMeasurement(store, now, "memory");
    case "watch":
      return watch(store, effect.worker, effect.periodMs);
    case "record":
      // The state says that it is wanted (`pendingRecord`); the supervisor writes it when this batch is sent.
      return;
    case "event":
      if (effect.event.kind === "rolloutStarted") lookAtNames(store);
      return store.events.add(effect.event, wallTime(store.facts, now));
    case "closeSockets":
      return closeSockets(store);
    case "exit":
      return leave(store, effect.status);
  }
};

/** The worker may have chosen another period. */
const watch = (store: Store, worker: number, periodMs: number): void =>
  store.batch.command({ kind: "watchdog", worker, periodMs: store.reports.get(worker)?.watchdogMs ?? periodMs });

/** How much is published at once, in UTF-16 units, to all listeners together. */
const PUBLISHED_AT_ONCE = LIMITS.batchBytes / 8;

/**
 * Publishes events: to the log, to followers, and to clients that wait for a deploy. With many listeners only a part at
 * once: events that arrive meanwhile are handled before the rest.
 */
export const publishEvents = (store: Store): void => {
  const listeners = 1 + store.followers.size + store.pending.size;
  for (const { event, json } of store.events.takeUnpublished(store.batch, PUBLISHED_AT_ONCE / listeners)) {
    if (isSupervisorEvent(event)) {
      logSupervisorEvent(store, event);
      for (const connection of store.followers) notify(store, connection, "happening", json);
    } else publish(store, event, json);
  }
  // Progress is sent before the answer of its deploy.
  if (!store.events.hasUnpublished) giveHeldAnswers(store);
};

const publish = (store: Store, event: ServiceEvent, json: string): void => {
  saveLastFailure(store, event);
  countEvent(store, event);
  const line = store.frontEnd.describe(store, event);
  if (line !== null) log(store, line.level, line.message);
  store.frontEnd.published?.(store, event);
  for (const connection of store.followers) notify(store, connection, "event", json);
  for (const [request, pending] of store.pending) {
    if (pending.kind !== "rollout" || !("generation" in event) || event.generation !== pending.generation) continue;
    if (pending.wait && pending.connection !== 0) notify(store, pending.connection, "progress", json);
    if (!pending.wait && event.kind === "workerStarted") {
      forgetPending(store, request);
      finish(store, pending, { result: { generation: event.generation, accepted: true, pids: [event.pid] } });
    }
  }
  // After everything else, because nothing waits for it.
  if (event.kind === "workerReady") keepBacklogs(store);
  if (event.kind === "rolloutComplete") beginAcceptCheck(store, event.generation);
  if (event.kind !== "workerGone") return;
  workerIsGone(store, event.worker);
  forgetReport(store, event.worker);
};
