// What can be done to the service as a whole, for signals and dialects alike.
import type { StopStep } from "../core/spec.ts";
import { advance, leave } from "./carry-out.ts";
import type { ReceivedSignal } from "./front-end.ts";
import { log } from "./log.ts";
import type { Memory } from "./memory.ts";
import { redeploy } from "./requests.ts";
import { signalNumber } from "./signals.ts";

/** Deploys what runs once more, after the rollout in flight if there is one. */
export const reload = (memory: Memory, { name, now }: ReceivedSignal): void => {
  const { service, history } = memory.core;
  if (service.phase.kind === "stopping") return log(memory, "warning", `${name}: not now, crank is shutting down`);
  if (service.current !== null || service.rollout !== null)
    return advance(memory, { kind: "reload", now, wallNow: memory.platform.wallNow() });
  if (history.length === 0) return log(memory, "warning", `${name}: nothing has been run yet that could be reloaded`);
  redeploy(memory, now);
};

/** Forgets a reload that still waits for its turn. */
export const cancelReload = (memory: Memory, { now }: ReceivedSignal): void =>
  advance(memory, { kind: "cancelReload", now });

/** Stops every worker by its spec's stop steps, and ends when the last one is gone. Again: takes the next steps now. */
export const shutDown = (memory: Memory, { now }: ReceivedSignal): void =>
  advance(memory, { kind: "shutdown", now, request: null, steps: null });

/** Stops every worker by these steps instead of its spec's, those that are stopping too, and ends when the last one is gone. */
export const shutDownBy =
  (steps: readonly StopStep[]) =>
  (memory: Memory, { now }: ReceivedSignal): void =>
    advance(memory, { kind: "shutdown", now, request: null, steps });

/** Passes a signal on to every worker, whatever it is doing. */
export const forward = (memory: Memory, { name }: Pick<ReceivedSignal, "name">): void => {
  for (const worker of Object.values(memory.core.workers))
    memory.outbox.command({ kind: "signal", worker: worker.id, signal: signalNumber(name), group: 0 });
};

/** Sends every worker `signal` and ends at once with `status`: the workers are left to themselves. */
export const abandonWorkers =
  (signal: string, status: number) =>
  (memory: Memory): void => {
    forward(memory, { name: signal });
    leave(memory, status);
  };
