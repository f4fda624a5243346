// How a worker is stopped: its spec's steps, one after the other, each at its time after the first.
import type { Spec, StopStep } from "./spec.ts";
import type { Failure, Worker } from "./state.ts";
import { emit, note, putWorker, specOf, type Turn } from "./turn.ts";

export type Stopping = Extract<Worker, { kind: "stopping" }>;
export type Living = Exclude<Worker, { kind: "stopping" }>;

const TERM: StopStep = { signal: "SIGTERM", afterMs: 0 };

/** Tells a worker to go: the first step is taken now. */
export const beginStop = (turn: Turn, worker: Living): void => {
  const steps = specOf(turn, worker.generation)?.stopSteps ?? [];
  const first = steps[0] ?? TERM;
  putWorker(turn, {
    ...identityOf(worker),
    kind: "stopping",
    stoppingAt: turn.now,
    wasReady: worker.kind === "ready",
    nextStep: 1,
    stepAt: dueAfter(turn.now, steps, 0),
    failure: null,
  });
  sendSignal(turn, worker, first.signal, "process");
};

/** Ends a worker that has failed, at once. */
export const killFailed = (turn: Turn, worker: Living, failure: Failure): void => {
  const spec = specOf(turn, worker.generation);
  putWorker(turn, {
    ...identityOf(worker),
    kind: "stopping",
    stoppingAt: turn.now,
    wasReady: worker.kind === "ready",
    nextStep: spec?.stopSteps.length ?? 0,
    stepAt: null,
    failure,
  });
  sendSignal(turn, worker, "SIGKILL", spec?.killMode === "process" ? "process" : "group");
};

/** Takes the next step now, due or not, and those that belong to the same moment. */
export const takeNextStep = (turn: Turn, worker: Stopping): void => {
  const spec = specOf(turn, worker.generation);
  let { nextStep, stepAt } = worker;
  do {
    const step = spec?.stopSteps[nextStep];
    if (!spec || !step) break;
    sendSignal(turn, worker, step.signal, targetOf(spec, nextStep));
    stepAt = dueAfter(turn.now, spec.stopSteps, nextStep);
    nextStep += 1;
  } while (stepAt !== null && stepAt <= turn.now);
  if (nextStep !== worker.nextStep || stepAt !== null) putWorker(turn, { ...worker, nextStep, stepAt });
};

/**
 * When the step after `taken` is due. It keeps its distance from that one: if nobody was there to take a step in time,
 * the steps that have come due meanwhile are not all taken at once.
 */
const dueAfter = (now: number, steps: readonly StopStep[], taken: number): number | null => {
  const step = steps[taken];
  const next = steps[taken + 1];
  return step && next ? now + Math.max(0, next.afterMs - step.afterMs) : null;
};

/** The last resort is for all that the worker has started; what comes first is for the worker to pass on or not. */
const targetOf = (spec: Spec, step: number): "process" | "group" =>
  spec.killMode === "group" && step > 0 && step === spec.stopSteps.length - 1 ? "group" : "process";

const sendSignal = (turn: Turn, worker: Worker, signal: string, target: "process" | "group"): void => {
  const { id, generation, pid } = worker;
  emit(turn, { kind: "signal", worker: id, signal, target });
  if (pid !== null) note(turn, { kind: "workerStopping", worker: id, generation, pid, signal });
};

const identityOf = ({ id, generation, index, pid, startTime, startedAt }: Worker) => ({
  id,
  generation,
  index,
  pid,
  startTime,
  startedAt,
});
