// Passes one event through the core and carries out its effects: as commands, answers, events and log lines.

import { isSupervisorEvent } from "../../control/supervisor-events.ts";
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
import { wallTime } from "../state/facts.ts";
import { countEvent, forgetPending, forgetReport, rememberCore } from "../state/remember.ts";
import type { Memory } from "../state/store.ts";
import { rememberLastFailure } from "../systemd/tell-service-manager.ts";
import { beginLook } from "../workers/serving/accepting.ts";
import { withPins } from "../workers/start/pins.ts";
import { startProbe, startWorker } from "../workers/start/starts.ts";
import { reconcileStored } from "../workers/start/stored-descriptors.ts";

/**
 * Passes an event to the core, stores its new state and carries out the effects; `signals`: whether they were sent
 * already.
 */
export const advance = (memory: Memory, event: CoreEvent, signals: "unsent" | "sent" = "unsent"): void =>
  follow(memory, event, step(memory.core, event), signals);

/** The same, at the end of the keeper's event: its effects can be sent in two parts (decision.ts). */
export const advanceLast = (memory: Memory, event: WorkerReady): void => {
  memory.last = event;
};

/** Stores the state after a step and carries out its effects; `signals`: whether they were sent already. */
export const follow = (
  memory: Memory,
  event: CoreEvent,
  { state, effects }: Step,
  signals: "unsent" | "sent" = "unsent",
): void => {
  const before = memory.core.generations;
  rememberCore(memory, withPins(memory, memory.core, state));
  reconcileStored(memory, event.now);
  for (const effect of effects) {
    // The answer may be about a generation that is pruned by now.
    if (effect.kind === "answer") answer(memory, effect.request, effect.outcome, before);
    else if (effect.kind !== "signal" || signals === "unsent") applyEffect(memory, effect, event.now);
  }
};

export const applyEffect = (memory: Memory, effect: Exclude<Effect, { kind: "answer" }>, now: number): void => {
  switch (effect.kind) {
    case "start":
      restoreRunDirectory(memory, now);
      return startWorker(memory, effect.worker);
    case "signal":
      memory.batch.command({
        kind: "signal",
        worker: effect.worker,
        signal: signalNumber(effect.signal),
        group: effect.target === "tree" ? 1 : 0,
      });
      return;
    case "probe":
      memory.probed.set(effect.probe, effect.worker);
      return startProbe(memory, effect.probe);
    case "measure":
      return beginMeasurement(memory, now, "memory");
    case "watch":
      return watch(memory, effect.worker, effect.periodMs);
    case "record":
      // The state says that it is wanted (`pendingRecord`); the supervisor writes it when this batch is sent.
      return;
    case "event":
      if (effect.event.kind === "rolloutStarted") lookAtNames(memory);
      return memory.events.add(effect.event, wallTime(memory.facts, now));
    case "closeSockets":
      return closeSockets(memory);
    case "exit":
      return leave(memory, effect.status);
  }
};

/** The worker may have chosen another period. */
const watch = (memory: Memory, worker: number, periodMs: number): void =>
  memory.batch.command({ kind: "watchdog", worker, periodMs: memory.reports.get(worker)?.watchdogMs ?? periodMs });

/** How much is published at once, in UTF-16 units, to all listeners together. */
const PUBLISHED_AT_ONCE = LIMITS.batchBytes / 8;

/**
 * Publishes events: to the log, to followers, and to clients that wait for a deploy. With many listeners only a part at
 * once: events that arrive meanwhile are handled before the rest.
 */
export const publishEvents = (memory: Memory): void => {
  const listeners = 1 + memory.followers.size + memory.pending.size;
  for (const { event, json } of memory.events.takeUnpublished(memory.batch, PUBLISHED_AT_ONCE / listeners)) {
    if (isSupervisorEvent(event)) {
      logSupervisorEvent(memory, event);
      for (const connection of memory.followers) notify(memory, connection, "happening", json);
    } else publish(memory, event, json);
  }
  // Progress is sent before the answer of its deploy.
  if (!memory.events.hasUnpublished) giveHeldAnswers(memory);
};

const publish = (memory: Memory, event: ServiceEvent, json: string): void => {
  rememberLastFailure(memory, event);
  countEvent(memory, event);
  const said = memory.frontEnd.describe(memory, event);
  if (said !== null) log(memory, said.level, said.message);
  memory.frontEnd.published?.(memory, event);
  for (const connection of memory.followers) notify(memory, connection, "event", json);
  for (const [request, pending] of memory.pending) {
    if (pending.kind !== "rollout" || !("generation" in event) || event.generation !== pending.generation) continue;
    if (pending.wait && pending.connection !== 0) notify(memory, pending.connection, "progress", json);
    if (!pending.wait && event.kind === "workerStarted") {
      forgetPending(memory, request);
      finish(memory, pending, { result: { generation: event.generation, accepted: true, pids: [event.pid] } });
    }
  }
  // After everything else, because nothing waits for it.
  if (event.kind === "workerReady") keepBacklogs(memory);
  if (event.kind === "rolloutComplete") beginLook(memory, event.generation);
  if (event.kind !== "workerGone") return;
  workerIsGone(memory, event.worker);
  forgetReport(memory, event.worker);
};
