// Actions on the service as a whole, for signals and dialects alike.

import { describeSupervisorEvent } from "../../control/supervisor-event-text.ts";
import type { StopStep } from "../../core/model/spec.ts";
import { allWorkers, countWorkers } from "../../core/model/workers.ts";
import { redeployAnew } from "../control/requests.ts";
import { log } from "../events/log.ts";
import { recordEvent } from "../events/supervisor-event.ts";
import { signalNumber } from "../os/signals.ts";
import { leave } from "../startup/exit.ts";
import type { ReceivedSignal } from "../state/front-end.ts";
import type { Store } from "../state/store.ts";
import { reportEnd } from "../systemd/link.ts";
import { saveRestart } from "../systemd/service-manager.ts";
import { requestUpgrade } from "../upgrade/upgrade.ts";
import { advance } from "./apply-effects.ts";

/** Deploys the current spec again, after the rollout in flight if there is one. */
export const reload = (store: Store, { name, now }: ReceivedSignal): void => {
  const { service, history } = store.core;
  if (service.phase.kind === "stopping") return log(store, "warning", `${name} ignored: crank is shutting down`);
  if (service.current !== null || service.rollout !== null)
    return advance(store, { kind: "reload", now, wallNow: store.platform.wallNow() });
  if (history.length === 0) return log(store, "warning", `${name} ignored: no run to reload`);
  redeployAnew(store, now);
};

/** Replaces supervisor and keeper by the installed version. If an upgrade is under way, another one follows it. */
export const upgrade = (store: Store, { name, now }: ReceivedSignal): void => {
  requestUpgrade(store, { exec: null, by: name, now });
};

/** Drops the queued reload. */
export const cancelReload = (store: Store, { now }: ReceivedSignal): void =>
  advance(store, { kind: "cancelReload", now });

/** Stops every worker by its spec's stop steps, and ends with the last one. Repeated: takes the next steps now. */
export const shutDown = (store: Store, { now }: ReceivedSignal): void =>
  advance(store, { kind: "shutdown", now, request: null, steps: null });

/** Stops every worker, those already stopping too, by these steps instead of its spec's, and ends with the last one. */
export const shutDownBy =
  (steps: readonly StopStep[]) =>
  (store: Store, { now }: ReceivedSignal): void =>
    advance(store, { kind: "shutdown", now, request: null, steps });

/** Sends a signal to every worker, in any state. */
export const forward = (store: Store, { name }: Pick<ReceivedSignal, "name">): void => {
  for (const worker of allWorkers(store.core.workers))
    store.batch.command({ kind: "signal", worker: worker.id, signal: signalNumber(name), group: 0 });
};

/** Sends every worker `signal` and ends at once with `status`. The workers are left behind. */
export const abandonWorkers =
  (signal: string, status: number) =>
  (store: Store): void => {
    forward(store, { name: signal });
    leave(store, status);
  };

/**
 * The signal on which crank ends and leaves its workers to the next crank. No program that crank stands in for uses it.
 */
export const LEAVING = "SIGRTMIN+1";

/**
 * Ends crank as if it had been killed, but sends what is queued. Workers, sockets and the journal stay for the next
 * crank to adopt. If they could not be adopted, the workers are stopped.
 */
export const leaveWorkers = (store: Store, signal: ReceivedSignal): Promise<void> | void => {
  const { core, frontEnd } = store;
  saveRestart(store);
  const obstacle = whyNobodyCouldAdopt(store);
  if (obstacle !== null) {
    log(store, "warning", `${signal.name}: ${obstacle}; the workers are stopped instead`);
    return frontEnd.signals.SIGTERM?.(store, { ...signal, name: "SIGTERM" });
  }
  const leaving = { kind: "workersLeft", count: countWorkers(core.workers) } as const;
  recordEvent(store, leaving, signal.now);
  reportEnd(store, describeSupervisorEvent(leaving));
  store.batch.command({ kind: "exit", status: 0, keepJournal: 1 });
};

const whyNobodyCouldAdopt = ({ settings, facts }: Store): string | null => {
  if (settings?.runDirectory === null) return "without a run directory, the next crank could not find the workers";
  return facts.pid === 1 ? "crank is the first process of a container, and the others would end with it" : null;
};
