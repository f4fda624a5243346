// The life of a worker in one table: its states, and how each handles every event. What follows for the pool is decided
// afterwards, in reconcile.ts.

import { changeService, type Draft, putWorker, recordEvent, removeWorker, specOf } from "./model/draft.ts";
import type {
  Evict,
  Extended,
  Leaving,
  MainExited,
  Moved,
  Probed,
  Spawned,
  SpawnFailed,
  Tick,
  WorkerExited,
  WorkerReady,
} from "./model/events.ts";
import type { Own } from "./model/owner.ts";
import { serves } from "./model/standing.ts";
import type { Ending, Failure, Sign, SocketFinding, Worker, WorkerState } from "./model/worker.ts";
import { dueWorkers, findWorker } from "./model/workers.ts";
import { evict, replaceAgain } from "./pool/eviction.ts";
import { endReplacement } from "./pool/pacing.ts";
import { wantedGeneration } from "./pool/pool.ts";
import { completeFailure, failAttempt } from "./pool/rollout.ts";
import { retrySlot } from "./pool/slot-retries.ts";
import { countDeath, forgetDeaths } from "./worker/backoff.ts";
import { beginProbe, beginWatch, isProbed, livenessProbing, takeProbed } from "./worker/probing.ts";
import { countRestart } from "./worker/restart-counts.ts";
import { beginLeaving, endFailed, killRest, stopRest, takeNextStep } from "./worker/stopping.ts";

type Life = {
  spawned: Spawned;
  spawnFailed: SpawnFailed;
  workerReady: WorkerReady;
  probed: Probed;
  workerExited: WorkerExited;
  mainExited: MainExited;
  evict: Evict;
  leaving: Leaving;
  extended: Extended;
  moved: Moved;
  /** A tick when the worker's own deadline has passed. */
  due: Tick;
};
type In<S extends WorkerState> = Extract<Worker, { kind: S }>;
type Table = {
  [S in WorkerState]: { [E in keyof Life]: (draft: Draft, worker: In<S>, event: Life[E]) => void };
};
type Handler = (draft: Draft, worker: Worker, event: Life[keyof Life]) => void;

const nothing = (): void => {};

const LIFE = {
  starting: {
    spawned: (draft, worker, event) => beginLife(draft, worker, event),
    spawnFailed: (draft, worker, event) => failSpawn(draft, worker, event),
    workerReady: (draft, worker, event) => takeReady(draft, worker, event),
    probed: (draft, worker, event) => takeProbe(draft, worker, event),
    workerExited: (draft, worker, event) => failStart(draft, worker, event),
    mainExited: (draft, worker, event) => failByMain(draft, worker, event),
    evict: nothing,
    leaving: nothing,
    extended: (draft, worker, event) => extendStart(draft, worker, event),
    moved: (draft, worker, event) => move(draft, worker, event),
    due: (draft, worker, event) => startIsDue(draft, worker, event),
  },
  ready: {
    spawned: (draft, worker, event) => noteSpawned(draft, worker, event),
    spawnFailed: (draft, worker, event) => failSpawn(draft, worker, event),
    workerReady: nothing,
    probed: (draft, worker, event) => takeLiveness(draft, worker, event),
    workerExited: (draft, worker, event) => loseReady(draft, worker, event),
    mainExited: (draft, worker, event) => loseMain(draft, worker, event),
    evict: (draft, worker, event) => takeEviction(draft, worker, event),
    leaving: (draft, worker) => takeLeaving(draft, worker),
    extended: nothing,
    moved: (draft, worker, event) => move(draft, worker, event),
    due: (draft, worker) => readyIsDue(draft, worker),
  },
  stopping: {
    spawned: (draft, worker, event) => noteSpawned(draft, worker, event),
    spawnFailed: (draft, worker) => finishStop(draft, worker, { ending: { kind: "unknown" }, tail: "" }),
    workerReady: nothing,
    probed: nothing,
    workerExited: (draft, worker, event) => finishStop(draft, worker, event),
    mainExited: (draft, worker, event) => leaveRest(draft, worker, event),
    evict: nothing,
    leaving: nothing,
    extended: (draft, worker, event) => extendStop(draft, worker, event),
    moved: (draft, worker, event) => move(draft, worker, event),
    due: (draft, worker) => takeNextStep(draft, worker),
  },
} satisfies Table;

/** Passes an event to its worker. Ignored if the worker is unknown. */
export const dispatchToWorker = (draft: Draft, event: Life[Exclude<keyof Life, "due">]): void => {
  const worker = findWorker(draft.workers, event.worker);
  // The row is the worker's state and the column the event's kind, so the handler is the one for both.
  if (worker) (LIFE[worker.kind][event.kind] as Handler)(draft, worker, event);
};

/** Handles the deadlines of workers that have passed. */
export const dispatchToDueWorkers = (draft: Draft, event: Tick): void => {
  // As in dispatchToWorker.
  for (const worker of dueWorkers(draft.workers, draft.now)) (LIFE[worker.kind].due as Handler)(draft, worker, event);
};

const beginLife = (draft: Draft, worker: In<"starting">, event: Spawned): void => {
  if (worker.pid !== null) return;
  noteSpawned(draft, { ...worker, ...delayedReadiness(draft, worker) }, event);
  const begun = findWorker(draft.workers, worker.id);
  if (begun?.kind === "starting" && isProbed(draft, begun)) beginProbe(draft, begun);
};

const noteSpawned = (draft: Draft, worker: Worker, { pid, startTime }: Spawned): void => {
  if (worker.pid !== null) return;
  putWorker(draft, { ...worker, pid, startTime });
  recordEvent(draft, { kind: "workerStarted", worker: worker.id, generation: worker.generation, pid });
};

/** Another process is the worker's main process now. Everything else about the worker stays. */
const move = (draft: Draft, worker: Worker, { pid, startTime }: Moved): void => {
  const { id, generation, pid: before } = worker;
  if (pid === before && startTime === worker.startTime) return;
  putWorker(draft, { ...worker, pid, startTime });
  recordEvent(draft, { kind: "workerMoved", worker: id, generation, before: before ?? 0, pid });
};

const readinessDelay = (draft: Draft, worker: Worker): number | null => {
  const readiness = specOf(draft, worker.generation)?.readiness;
  return readiness?.kind === "delay" ? readiness.afterMs : null;
};

/** Readiness by delay: the delay counts from when the process runs, and takes the place of the start timeout. */
const delayedReadiness = (draft: Draft, worker: In<"starting">): Partial<In<"starting">> => {
  const delay = readinessDelay(draft, worker);
  return delay === null || worker.pid !== null ? {} : { readyBy: draft.now + delay };
};

const takeReady = (draft: Draft, worker: In<"starting">, event: WorkerReady): void => {
  // With readiness by probe, the worker's own message does not count.
  if (!isProbed(draft, worker)) judgeReady(draft, worker, event, event.sign ?? "notify");
};

const takeProbe = (draft: Draft, worker: In<"starting">, event: Probed): void => {
  if (takeProbed(draft, worker, event)) judgeReady(draft, worker, event, "probe");
};

type Shown = { readonly at: number; readonly sockets?: SocketFinding | undefined };

/** Judges by the time of the report, not of its arrival, and by whether the worker can serve. */
const judgeReady = (draft: Draft, worker: In<"starting">, event: Shown, sign: Sign): void => {
  const { at, sockets } = event;
  const isLate = worker.readyBy !== null && at > worker.readyBy && readinessDelay(draft, worker) === null;
  if (isLate) failByTimeout(draft, worker, sockets);
  else if (sockets === undefined) becomeReady(draft, worker, at);
  else fail(draft, worker, { kind: "notServing", sign, sockets, tail: "" });
};

const becomeReady = (draft: Draft, worker: In<"starting">, at: number): void => {
  const { id, generation, index, attempt, pid, startTime, startedAt, replacement, restarts } = worker;
  const { now } = draft;
  const minReadyMs = specOf(draft, generation)?.minReadyMs ?? 0;
  const availableAt = minReadyMs > 0 ? now + minReadyMs : null;
  // Field by field: copying from another object is slower.
  const ready: Own<In<"ready">> = {
    id,
    generation,
    index,
    attempt,
    pid,
    startTime,
    startedAt,
    kind: "ready",
    readyAt: now,
    availableAt,
  };
  if (replacement === true) ready.replacement = true;
  if (restarts !== undefined) ready.restarts = restarts;
  const probing = livenessProbing(draft, worker);
  if (probing !== null) ready.probing = probing;
  putWorker(draft, ready);
  beginWatch(draft, worker);
  if (minReadyMs === 0) noteAvailable(draft, worker);
  recordEvent(draft, {
    kind: "workerReady",
    worker: id,
    generation,
    pid: pid ?? 0,
    afterMs: Math.max(0, at - startedAt),
  });
};

const becomeAvailable = (draft: Draft, worker: In<"ready">): void => {
  putWorker(draft, worker);
  noteAvailable(draft, worker);
};

const noteAvailable = (draft: Draft, worker: Worker): void => {
  forgetDeaths(draft);
  endReplacementBy(draft, worker);
};

/** Without a surge, a replacement is complete when the new worker is available. */
const endReplacementBy = (draft: Draft, { generation: number, replacement }: Worker): void => {
  const generation = draft.generations[number];
  const isIncoming = draft.service.rollout !== null && draft.service.rollout.rollingBack === null;
  if (generation?.spec.surge === 0 && (isIncoming || replacement === true)) endReplacement(draft, generation);
};

/** The start deadline has passed, or the next probe is due. */
const startIsDue = (draft: Draft, worker: In<"starting">, event: Tick): void => {
  if (worker.readyBy !== null && worker.readyBy <= draft.now) endStart(draft, worker, event.sockets?.[worker.id]);
  else beginProbe(draft, worker);
};

const endStart = (draft: Draft, worker: In<"starting">, sockets: SocketFinding | undefined): void => {
  if (worker.pid !== null && readinessDelay(draft, worker) !== null)
    judgeReady(draft, worker, { at: draft.now, sockets }, "delay");
  else failByTimeout(draft, worker, sockets);
};

/** Extends the start timeout, never shortens it. Readiness by delay cannot be extended. */
const extendStart = (draft: Draft, worker: In<"starting">, { until }: Extended): void => {
  if (worker.readyBy === null || worker.readyBy >= until || readinessDelay(draft, worker) !== null) return;
  putWorker(draft, { ...worker, readyBy: until });
};

const extendStop = (draft: Draft, worker: In<"stopping">, { until }: Extended): void => {
  if (worker.stepAt !== null && worker.stepAt < until) putWorker(draft, { ...worker, stepAt: until });
};

/** The failure counts now. It is reported when the process is gone, because only then its last output is known. */
const failByTimeout = (draft: Draft, worker: In<"starting">, sockets?: SocketFinding): void => {
  const afterMs = specOf(draft, worker.generation)?.startTimeoutMs ?? draft.now - worker.startedAt;
  const probe = worker.probing?.detail ?? "";
  const why = { ...(probe === "" ? {} : { probe }), ...(sockets === undefined ? {} : { sockets }) };
  fail(draft, worker, { kind: "timeout", afterMs, tail: "", ...why });
};

const fail = (draft: Draft, worker: In<"starting" | "ready">, failure: Failure): void => {
  endFailed(draft, worker, failure);
  countFailure(draft, worker, failure);
};

const failStart = (draft: Draft, worker: In<"starting">, { ending, tail }: WorkerExited): void => {
  removeWorker(draft, worker.id);
  const failure: Failure = { kind: "exited", ending, tail };
  noteFailed(draft, worker, failure, countFailure(draft, worker, failure));
  noteGone(draft, worker, ending, false);
};

const failSpawn = (draft: Draft, worker: Worker, { step, errno, detail }: SpawnFailed): void => {
  removeWorker(draft, worker.id);
  const failure: Failure = { kind: "spawn", step, errno, ...(detail === undefined ? {} : { detail }) };
  noteFailed(draft, worker, failure, countFailure(draft, worker, failure));
};

/** The main process has ended, so the start has failed. It is reported when the rest of the tree is gone too. */
const failByMain = (draft: Draft, worker: In<"starting"> | In<"ready">, event: MainExited): void => {
  const failure: Failure = { kind: "exited", ending: event.ending, tail: "" };
  killRest(draft, worker, event, failure);
  countFailure(draft, worker, failure);
};

/** A ready worker ended unasked. On probation, that is a failed start. */
const loseReady = (draft: Draft, worker: In<"ready">, event: WorkerExited): void => {
  if (isOnProbation(draft, worker)) return failUnavailable(draft, worker, event);
  removeWorker(draft, worker.id);
  countLost(draft, worker, event);
  noteGone(draft, worker, event.ending, false);
};

/** The worker counts as lost with its main process, whatever is left of its tree. */
const loseMain = (draft: Draft, worker: In<"ready">, event: MainExited): void => {
  if (isOnProbation(draft, worker)) return failByMain(draft, worker, event);
  killRest(draft, worker, event, null);
  countLost(draft, worker, event);
};

const countLost = (draft: Draft, worker: In<"ready">, { ending }: { readonly ending: Ending }): void => {
  const { rollout, current } = draft.service;
  changeService(draft, { lastOutcome: outcomeOf(ending) });
  if (worker.availableAt !== null && worker.dismissal === undefined) replaceAgain(draft, worker);
  const wanted = rollout && !rollout.rollingBack ? rollout.generation : current;
  if (worker.generation === wanted) countDeath(draft, worker, whenGone(worker));
};

const whenGone = ({ availableAt }: In<"ready">): "before available" | "after available" =>
  availableAt === null ? "after available" : "before available";

const failUnavailable = (draft: Draft, worker: In<"ready">, { ending, tail }: WorkerExited): void => {
  removeWorker(draft, worker.id);
  const failure: Failure = { kind: "exited", ending, tail };
  noteFailed(draft, worker, failure, countFailure(draft, worker, failure));
  noteGone(draft, worker, ending, false);
};

/** The worker becomes available, or the next probe is due. */
const readyIsDue = (draft: Draft, worker: In<"ready">): void => {
  const isAvailable = worker.availableAt !== null && worker.availableAt <= draft.now;
  const next = isAvailable ? { ...worker, availableAt: null } : worker;
  if (isAvailable) becomeAvailable(draft, next);
  const probeAt = worker.probing?.nextAt ?? null;
  if (probeAt !== null && probeAt <= draft.now) beginProbe(draft, next);
};

const takeLiveness = (draft: Draft, worker: In<"ready">, event: Probed): void => {
  if (takeProbed(draft, worker, event))
    takeEviction(draft, worker, { reason: { kind: "notAlive", detail: event.detail } });
};

/** Whether the end of this worker now fails the rollout that started it. */
const isOnProbation = ({ service: { rollout } }: Draft, worker: In<"ready">): boolean =>
  worker.availableAt !== null && rollout?.generation === worker.generation && rollout.rollingBack === null;

/** On probation, a worker that is not alive has failed, like one that has exited. Otherwise the worker is evicted. */
const takeEviction = (draft: Draft, worker: In<"ready">, { reason }: Pick<Evict, "reason">): void => {
  if (serves(reason) || !isOnProbation(draft, worker)) return evict(draft, worker, reason);
  fail(draft, worker, { kind: "dismissed", reason, tail: "" });
};

/** The worker ends by itself: it may be replaced, and has the time of a stop. On probation only its end counts. */
const takeLeaving = (draft: Draft, worker: In<"ready">): void => {
  if (isOnProbation(draft, worker)) return;
  const { id, generation, pid } = worker;
  recordEvent(draft, { kind: "workerLeaving", worker: id, generation, pid: pid ?? 0 });
  beginLeaving(draft, worker);
  const wanted = wantedGeneration(draft)?.number;
  if (generation === wanted && worker.dismissal === undefined) countDeath(draft, worker, whenGone(worker));
};

/** The end of the main process decides the outcome of a worker that ends by itself, whatever happens to the rest. */
const leaveRest = (draft: Draft, worker: In<"stopping">, event: MainExited): void => {
  if (worker.rest !== undefined) return;
  if (worker.unasked === true && worker.failure === null)
    changeService(draft, { lastOutcome: outcomeOf(event.ending) });
  stopRest(draft, worker, event);
};

const finishStop = (
  draft: Draft,
  worker: In<"stopping">,
  { ending, tail }: { readonly ending: Ending; readonly tail: string },
): void => {
  removeWorker(draft, worker.id);
  const { failure } = worker;
  if (failure) {
    const known = "tail" in failure ? { ...failure, tail } : failure;
    completeFailure(draft, worker, known);
    noteFailed(draft, worker, known, attemptsLeftFor(draft, worker));
  }
  if (worker.unasked === true && failure === null && worker.rest === undefined)
    changeService(draft, { lastOutcome: outcomeOf(ending) });
  noteGone(draft, worker, ending, worker.unasked !== true);
};

/**
 * Counts a failure before available: it costs an attempt of the rollout, or delays the next start. Returns attempts
 * left.
 */
const countFailure = (draft: Draft, worker: Worker, failure: Failure): number => {
  const { rollout, current, manner } = draft.service;
  const isOwed = replaceAgain(draft, worker);
  if (manner.attempts === "place" && !isOwed) return retrySlot(draft, worker, failure);
  if (manner.attempts === "endless") return failAgain(draft, worker);
  if (rollout && !rollout.rollingBack && rollout.generation === worker.generation)
    return failAttempt(draft, rollout, worker, failure);
  if (worker.generation !== current) return 0;
  changeService(draft, { lastOutcome: "failed" });
  if (!rollout || rollout.rollingBack) countDeath(draft, worker, "before available");
  return 0;
};

/** Costs no attempt: only the next start comes later. */
const failAgain = (draft: Draft, worker: Worker): number => {
  const isWanted = wantedGeneration(draft)?.number === worker.generation;
  if (isWanted) countDeath(draft, worker, "before available");
  return 0;
};

const attemptsLeftFor = ({ service: { rollout, manner }, generations }: Draft, worker: Worker): number => {
  if (manner.attempts === "place") {
    const retries = generations[worker.generation]?.spec.retries ?? 0;
    return Math.max(0, retries + 1 - worker.attempt);
  }
  return rollout?.generation === worker.generation ? rollout.attemptsLeft : 0;
};

const noteFailed = (draft: Draft, worker: Worker, failure: Failure, attemptsLeft: number): void => {
  const { id, generation, pid } = worker;
  countRestart(draft, worker);
  recordEvent(draft, { kind: "workerFailed", worker: id, generation, pid, failure, attemptsLeft });
};

const noteGone = (draft: Draft, worker: Worker, ending: Ending, expected: boolean): void => {
  const { id, generation, pid } = worker;
  if (!expected) countRestart(draft, worker);
  recordEvent(draft, { kind: "workerGone", worker: id, generation, pid, ending, expected });
};

/** An ending that could not be collected is unknown, so it is not clean. */
const outcomeOf = (ending: Ending): "clean" | "failed" =>
  ending.kind === "exit" && ending.code === 0 ? "clean" : "failed";
