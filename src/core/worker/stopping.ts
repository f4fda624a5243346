// How a worker is stopped: its spec's steps, one after the other, each at its time after the first.

import { type Draft, emit, putWorker, recordEvent, specOf } from "../model/draft.ts";
import type { MainExited } from "../model/events.ts";
import type { Own } from "../model/owner.ts";
import type { Spec, StopStep } from "../model/spec.ts";
import type { Ending, Failure, Worker } from "../model/worker.ts";
import { findWorker } from "../model/workers.ts";

export type Stopping = Extract<Worker, { kind: "stopping" }>;
export type Living = Exclude<Worker, { kind: "stopping" }>;

const DEFAULT_STEPS: readonly StopStep[] = [{ signal: "SIGTERM", afterMs: 0 }];

/** Tells a worker to go: the first step is taken now. */
export const beginStop = (draft: Draft, worker: Living): void => {
  const stopping = stoppingFrom(draft, worker);
  if (worker.kind === "ready" && worker.dismissal !== undefined) stopping.dismissal = worker.dismissal;
  takeSteps(draft, stopping);
  putWorker(draft, stopping);
};

/** What it is when it has been told nothing yet. Its own fields, not copied from another object: that takes longer. */
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

/** A worker goes by itself, as if its first step had been taken already. */
export const beginLeaving = (draft: Draft, worker: Living): void => {
  const stopping = stoppingFrom(draft, worker);
  stopping.unasked = true;
  const steps = stepsFor(draft, specOf(draft, worker.generation), stopping);
  stopping.nextStep = 1;
  stopping.stepAt = dueAfter(draft.now, steps, 0);
  putWorker(draft, stopping);
};

/** Ends a worker that has failed: at once, or by the steps that the program has for it. */
export const endFailed = (draft: Draft, worker: Living, failure: Failure): void => {
  const stopping = stoppingFrom(draft, worker);
  stopping.failure = failure;
  const isUnheard = worker.kind === "starting" && worker.unheard === true;
  // One that holds some of the sockets may serve clients there.
  const isServing = failure.kind === "notServing" && failure.sockets.held > 0;
  if (draft.service.manner.failSteps !== null || isUnheard || isServing) return takeNextStep(draft, stopping);
  const spec = specOf(draft, worker.generation);
  stopping.nextStep = Math.max(1, spec?.stopSteps.length ?? 0);
  stopping.stepAt = null;
  putWorker(draft, stopping);
  sendSignal(draft, worker, "SIGKILL", spec?.killMode === "process" ? "process" : "tree");
};

/** Takes the next step now, due or not, and those that belong to the same moment. */
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
  // Of a rest that has no more steps, and is to go all the same.
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

/** Takes the steps from the first one on, whatever was taken before: on the way down there may be others than before. */
export const restartStop = (draft: Draft, worker: Stopping): void =>
  takeNextStep(draft, { ...worker, nextStep: 0, stepAt: draft.now });

/** Sends the signal of the step that was taken last once more: nobody knows whether it was sent. */
export const repeatLastStep = (draft: Draft, worker: Stopping): void => {
  const spec = specOf(draft, worker.generation);
  const steps = stepsFor(draft, spec, worker);
  const last = steps[worker.nextStep - 1];
  const isLast = worker.nextStep >= steps.length;
  if (last) sendSignal(draft, worker, last.signal, targetOf(worker, spec, isLast && worker.nextStep > 1));
};

/**
 * The last resort is for all that the worker has started; what comes first is for its main process to pass on or not. Where
 * that has ended, all steps are for the rest.
 */
const targetOf = (worker: Stopping, spec: Spec | undefined, isLastResort: boolean): "process" | "tree" =>
  worker.rest !== undefined || (isLastResort && spec?.killMode !== "process") ? "tree" : "process";

/**
 * The main process of a worker that was being stopped has ended before others of its tree: they get the signal that it got,
 * and what time is left. What was to be killed is killed.
 */
export const stopRest = (
  draft: Draft,
  worker: Stopping,
  { ending, rest }: Pick<MainExited, "ending" | "rest">,
): void => {
  const steps = stepsFor(draft, specOf(draft, worker.generation), worker);
  const isFailed = worker.failure !== null && draft.service.manner.failSteps === null;
  const signal = isFailed ? "SIGKILL" : (steps[worker.nextStep - 1]?.signal ?? "SIGTERM");
  const left = { ...worker, rest };
  putWorker(draft, left);
  signalRest(draft, left, ending, signal);
};

/** The main process of a worker has ended that nobody was stopping: what else there is of it is killed. */
export const killRest = (
  draft: Draft,
  worker: Living,
  { ending, rest }: Pick<MainExited, "ending" | "rest">,
  failure: Failure | null,
): void => {
  const left = stoppingFrom(draft, worker);
  left.nextStep = Math.max(1, specOf(draft, worker.generation)?.stopSteps.length ?? 0);
  left.stepAt = null;
  left.failure = failure;
  left.unasked = true;
  left.rest = rest;
  putWorker(draft, left);
  signalRest(draft, left, ending, "SIGKILL");
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
  // A shutdown by other steps does not begin the stop of one that has failed anew.
  const others = phase.kind === "stopping" && failure === null ? phase.steps : null;
  const given = others ?? spec?.stopSteps ?? [];
  const steps = given.length > 0 ? given : DEFAULT_STEPS;
  return dismissal?.kind === "watchdog" && others === null ? aborting(steps) : steps;
};

/** What has not fed its watchdog is to leave a core behind that says why (systemd.service(5), WatchdogSignal=). */
const aborting = ([first, ...others]: readonly StopStep[]): readonly StopStep[] => [
  { signal: "SIGABRT", afterMs: first?.afterMs ?? 0 },
  ...others,
];

/**
 * When the step after `taken` is due. It keeps its distance from that one: if nobody was there to take a step in time,
 * the steps that have come due meanwhile are not all taken at once.
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

/** What a worker is, whatever its state. */
export const identityOf = (worker: Worker): Identity => {
  const { id, generation, index, attempt, pid, startTime, startedAt, replacement, restarts } = worker;
  const identity: Identity = { id, generation, index, attempt, pid, startTime, startedAt };
  if (replacement === true) identity.replacement = replacement;
  if (restarts !== undefined) identity.restarts = restarts;
  return identity;
};
