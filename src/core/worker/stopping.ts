// How a worker is stopped: by the steps of its spec in order, each at its time after the first.

import { type Draft, emit, putWorker, recordEvent, specOf } from "../model/draft.ts";
import type { MainExited } from "../model/events.ts";
import type { Own } from "../model/owner.ts";
import type { Spec, StopStep } from "../model/spec.ts";
import type { Ending, Failure, Worker } from "../model/worker.ts";
import { findWorker } from "../model/workers.ts";

export type Stopping = Extract<Worker, { kind: "stopping" }>;
export type Living = Exclude<Worker, { kind: "stopping" }>;

const DEFAULT_STEPS: readonly StopStep[] = [{ signal: "SIGTERM", afterMs: 0 }];

/** Begins to stop a worker: takes the first step now. */
export const beginStop = (draft: Draft, worker: Living): void => {
  const stopping = stoppingFrom(draft, worker);
  if (worker.kind === "ready" && worker.dismissal !== undefined) stopping.dismissal = worker.dismissal;
  takeSteps(draft, stopping);
  putWorker(draft, stopping);
};

/** The worker before its first stop step. Field by field: copying from another object is slower. */
const stoppingFrom = (draft: Draft, worker: Living): Own<Stopping> => {
  const { now } = draft;
  const stopping: Own<Stopping> = {
    id: worker.id,
    generation: worker.generation,
    index: worker.index,
    attempt: worker.attempt,
    pid: worker.pid,
    startTime: worker.startTime,
    startedAt: worker.startedAt,
    kind: "stopping",
    stoppingAt: now,
    wasReady: worker.kind === "ready",
    nextStep: 0,
    stepAt: now,
    failure: null,
  };
  if (worker.replacement === true) stopping.replacement = true;
  if (worker.restarts !== undefined) stopping.restarts = worker.restarts;
  return stopping;
};

/** The worker ends by itself, as if the first step had been taken. */
export const beginLeaving = (draft: Draft, worker: Living): void => {
  const stopping = stoppingFrom(draft, worker);
  stopping.unasked = true;
  const steps = stepsFor(draft, specOf(draft, worker.generation), stopping);
  stopping.nextStep = 1;
  stopping.stepAt = dueAfter(draft.now, steps, 0);
  putWorker(draft, stopping);
};

/** Ends a failed worker: by SIGKILL at once, or by steps if the policy has some or the worker may be serving. */
export const endFailed = (draft: Draft, worker: Living, failure: Failure): void => {
  const stopping = stoppingFrom(draft, worker);
  stopping.failure = failure;
  const isUnheard = worker.kind === "starting" && worker.unheard === true;
  // A worker that holds some of the sockets may serve clients on them.
  const isServing = failure.kind === "notServing" && failure.sockets.held > 0;
  if (draft.service.manner.failSteps !== null || isUnheard || isServing) return takeNextStep(draft, stopping);
  const spec = specOf(draft, worker.generation);
  stopping.nextStep = Math.max(1, spec?.stopSteps.length ?? 0);
  stopping.stepAt = null;
  putWorker(draft, stopping);
  sendSignal(draft, worker, "SIGKILL", spec?.killMode === "process" ? "process" : "tree");
};

/** Takes the next step now, due or not, and further steps that are due now. */
export const takeNextStep = (draft: Draft, worker: Stopping): void => {
  const next = { ...worker };
  takeSteps(draft, next);
  const before = findWorker(draft.workers, worker.id);
  const isSame = before?.kind === "stopping" && before.nextStep === next.nextStep && before.stepAt === next.stepAt;
  if (!isSame) putWorker(draft, next);
};

const takeSteps = (draft: Draft, worker: Own<Stopping>): void => {
  const spec = specOf(draft, worker.generation);
  const steps = stepsFor(draft, spec, worker);
  const last = steps.length - 1;
  // The main process has ended and no steps are left: kill the rest of its tree.
  if (worker.rest !== undefined && worker.nextStep > last) return sendSignal(draft, worker, "SIGKILL", "tree");
  for (let taken = worker.nextStep; ; taken++) {
    const step = steps[taken];
    if (!step) return;
    sendSignal(draft, worker, step.signal, targetOf(worker, spec, taken > 0 && taken === last));
    const stepAt = dueAfter(draft.now, steps, taken);
    worker.nextStep = taken + 1;
    worker.stepAt = stepAt;
    if (stepAt === null || stepAt > draft.now) return;
  }
};

/** Restarts the stop from the first step: a shutdown may have other steps. */
export const restartStop = (draft: Draft, worker: Stopping): void =>
  takeNextStep(draft, { ...worker, nextStep: 0, stepAt: draft.now });

/** Repeats the signal of the last step, because it is not known whether it was sent. */
export const repeatLastStep = (draft: Draft, worker: Stopping): void => {
  const spec = specOf(draft, worker.generation);
  const steps = stepsFor(draft, spec, worker);
  const last = steps[worker.nextStep - 1];
  const isLast = worker.nextStep >= steps.length;
  if (last) sendSignal(draft, worker, last.signal, targetOf(worker, spec, isLast && worker.nextStep > 1));
};

/**
 * The last step goes to the whole process tree, earlier ones to the main process, which may pass them on. After the
 * main process has ended, all steps go to the tree.
 */
const targetOf = (worker: Stopping, spec: Spec | undefined, isLastResort: boolean): "process" | "tree" =>
  worker.rest !== undefined || (isLastResort && spec?.killMode !== "process") ? "tree" : "process";

/**
 * The main process of a stopping worker has ended before the rest of its tree. The rest gets the same signal, and the
 * time that is left; after a failure without steps, SIGKILL.
 */
export const stopRest = (
  draft: Draft,
  worker: Stopping,
  { ending, rest }: Pick<MainExited, "ending" | "rest">,
): void => {
  const steps = stepsFor(draft, specOf(draft, worker.generation), worker);
  const isFailed = worker.failure !== null && draft.service.manner.failSteps === null;
  const signal = isFailed ? "SIGKILL" : (steps[worker.nextStep - 1]?.signal ?? "SIGTERM");
  const stopping = { ...worker, rest };
  putWorker(draft, stopping);
  signalRest(draft, stopping, ending, signal);
};

/** The main process has ended and was not being stopped: kills the rest of the tree. */
export const killRest = (
  draft: Draft,
  worker: Living,
  { ending, rest }: Pick<MainExited, "ending" | "rest">,
  failure: Failure | null,
): void => {
  const stopping = stoppingFrom(draft, worker);
  stopping.nextStep = Math.max(1, specOf(draft, worker.generation)?.stopSteps.length ?? 0);
  stopping.stepAt = null;
  stopping.failure = failure;
  stopping.unasked = true;
  stopping.rest = rest;
  putWorker(draft, stopping);
  signalRest(draft, stopping, ending, "SIGKILL");
};

const signalRest = (draft: Draft, worker: Stopping, ending: Ending, signal: string): void => {
  const { id, generation, pid, rest = 0, unasked } = worker;
  emit(draft, { kind: "signal", worker: id, signal, target: "tree" });
  const expected = unasked !== true;
  recordEvent(draft, { kind: "workerMainGone", worker: id, generation, pid: pid ?? 0, ending, rest, signal, expected });
};

const stepsFor = (
  { service: { phase, manner } }: Draft,
  spec: Spec | undefined,
  { failure, dismissal }: Stopping,
): readonly StopStep[] => {
  if (failure !== null && manner.failSteps !== null) return manner.failSteps;
  // A shutdown with other steps does not restart the stop of a failed worker.
  const others = phase.kind === "stopping" && failure === null ? phase.steps : null;
  const given = others ?? spec?.stopSteps ?? [];
  const steps = given.length > 0 ? given : DEFAULT_STEPS;
  return dismissal?.kind === "watchdog" && others === null ? aborting(steps) : steps;
};

/** A worker that missed its watchdog gets SIGABRT, to leave a core dump (systemd.service(5), WatchdogSignal=). */
const aborting = ([first, ...others]: readonly StopStep[]): readonly StopStep[] => [
  { signal: "SIGABRT", afterMs: first?.afterMs ?? 0 },
  ...others,
];

/**
 * When the step after `taken` is due. The distance to `taken` is kept: steps that came due while no supervisor ran are
 * not all taken at once.
 */
const dueAfter = (now: number, steps: readonly StopStep[], taken: number): number | null => {
  const step = steps[taken];
  const next = steps[taken + 1];
  return step && next ? now + Math.max(0, next.afterMs - step.afterMs) : null;
};

const sendSignal = (draft: Draft, worker: Worker, signal: string, target: "process" | "tree"): void => {
  const { id, generation, pid } = worker;
  emit(draft, { kind: "signal", worker: id, signal, target });
  if (pid !== null) recordEvent(draft, { kind: "workerStopping", worker: id, generation, pid, signal });
};

type Identity = Pick<Worker, "id" | "generation" | "index" | "attempt" | "pid" | "startTime" | "startedAt"> & {
  replacement?: true;
  restarts?: number;
};

/** The fields that a worker has in every state. */
export const identityOf = (worker: Worker): Identity => {
  const { id, generation, index, attempt, pid, startTime, startedAt, replacement, restarts } = worker;
  const identity: Identity = { id, generation, index, attempt, pid, startTime, startedAt };
  if (replacement === true) identity.replacement = replacement;
  if (restarts !== undefined) identity.restarts = restarts;
  return identity;
};
