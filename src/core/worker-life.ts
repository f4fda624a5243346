// The whole life of a worker in one table: its states, and what each of them makes of everything that can happen to it.
// What follows from it for the pool is decided afterwards, in reconcile.ts.

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

/** Tells one worker what has happened to it. One that is not known any more stays so. */
export const tellWorker = (draft: Draft, event: Life[Exclude<keyof Life, "due">]): void => {
  const worker = findWorker(draft.workers, event.worker);
  // The row is the worker's state and the column the event's kind, so the handler is the one for both.
  if (worker) (LIFE[worker.kind][event.kind] as Handler)(draft, worker, event);
};

/** Lets every worker whose deadline has passed take notice of it. */
export const tellDueWorkers = (draft: Draft, event: Tick): void => {
  // As in tellWorker.
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

/** Its main process is another one; what is known of it stays as it is. */
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

/** One that proves itself by being alive has only that deadline from the moment it runs. */
const delayedReadiness = (draft: Draft, worker: In<"starting">): Partial<In<"starting">> => {
  const delay = readinessDelay(draft, worker);
  return delay === null || worker.pid !== null ? {} : { readyBy: draft.now + delay };
};

const takeReady = (draft: Draft, worker: In<"starting">, event: WorkerReady): void => {
  // One that is to be asked is not believed.
  if (!isProbed(draft, worker)) judgeReady(draft, worker, event, event.sign ?? "notify");
};

const takeProbe = (draft: Draft, worker: In<"starting">, event: Probed): void => {
  if (takeProbed(draft, worker, event)) judgeReady(draft, worker, event, "probe");
};

type Shown = { readonly at: number; readonly sockets?: SocketFinding | undefined };

/** Judged by when it was said, not by when it was heard, and by whether it can serve. */
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
  // Not copied from another object: that takes longer.
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

/** A worker is available: without a surge, that was the last thing to be done for whom it replaces, if it replaces anybody. */
const endReplacementBy = (draft: Draft, { generation: number, replacement }: Worker): void => {
  const generation = draft.generations[number];
  const isIncoming = draft.service.rollout !== null && draft.service.rollout.rollingBack === null;
  if (generation?.spec.surge === 0 && (isIncoming || replacement === true)) endReplacement(draft, generation);
};

/** Its time is over, or the next probe is due. */
const startIsDue = (draft: Draft, worker: In<"starting">, event: Tick): void => {
  if (worker.readyBy !== null && worker.readyBy <= draft.now) endStart(draft, worker, event.sockets?.[worker.id]);
  else beginProbe(draft, worker);
};

const endStart = (draft: Draft, worker: In<"starting">, sockets: SocketFinding | undefined): void => {
  if (worker.pid !== null && readinessDelay(draft, worker) !== null)
    judgeReady(draft, worker, { at: draft.now, sockets }, "delay");
  else failByTimeout(draft, worker, sockets);
};

/** One that proves itself by being alive is ready at its time; any other may have longer to get ready, never shorter. */
const extendStart = (draft: Draft, worker: In<"starting">, { until }: Extended): void => {
  if (worker.readyBy === null || worker.readyBy >= until || readinessDelay(draft, worker) !== null) return;
  putWorker(draft, { ...worker, readyBy: until });
};

const extendStop = (draft: Draft, worker: In<"stopping">, { until }: Extended): void => {
  if (worker.stepAt !== null && worker.stepAt < until) putWorker(draft, { ...worker, stepAt: until });
};

/** Its failure counts from now on; what it said last is known when it is gone, and only then it is spoken of. */
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

/** Its start has failed, and what else there is of it ends with it; what it said last is known when that is gone. */
const failByMain = (draft: Draft, worker: In<"starting"> | In<"ready">, event: MainExited): void => {
  const failure: Failure = { kind: "exited", ending: event.ending, tail: "" };
  killRest(draft, worker, event, failure);
  countFailure(draft, worker, failure);
};

/** A ready worker that ends unasked. If it was not available yet, that is a failed start like any other. */
const loseReady = (draft: Draft, worker: In<"ready">, event: WorkerExited): void => {
  if (isOnProbation(draft, worker)) return failUnavailable(draft, worker, event);
  removeWorker(draft, worker.id);
  countLost(draft, worker, event);
  noteGone(draft, worker, event.ending, false);
};

/** It is lost with its main process, whatever else there is of it. */
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

/** It has been ready for long enough, or the next probe is due. */
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

/** What ends it now fails the rollout that it was started for. */
const isOnProbation = ({ service: { rollout } }: Draft, worker: In<"ready">): boolean =>
  worker.availableAt !== null && rollout?.generation === worker.generation && rollout.rollingBack === null;

/** One that is not alive before it was available has failed like one that has exited; anybody else is replaced. */
const takeEviction = (draft: Draft, worker: In<"ready">, { reason }: Pick<Evict, "reason">): void => {
  if (serves(reason) || !isOnProbation(draft, worker)) return evict(draft, worker, reason);
  fail(draft, worker, { kind: "dismissed", reason, tail: "" });
};

/** It goes by itself: another may come for it, and it has the time of a stop. One on probation is judged by its end. */
const takeLeaving = (draft: Draft, worker: In<"ready">): void => {
  if (isOnProbation(draft, worker)) return;
  const { id, generation, pid } = worker;
  recordEvent(draft, { kind: "workerLeaving", worker: id, generation, pid: pid ?? 0 });
  beginLeaving(draft, worker);
  const wanted = wantedGeneration(draft)?.number;
  if (generation === wanted && worker.dismissal === undefined) countDeath(draft, worker, whenGone(worker));
};

/** How it ended itself counts now, whatever becomes of the rest. */
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

/** What a failure before a worker is available costs: an attempt of the rollout, or a longer wait for the next start. Returns the attempts left. */
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

/** Costs nothing but time: the next start comes later. */
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

/** What nobody could collect may have been anything, so it is no clean end. */
const outcomeOf = (ending: Ending): "clean" | "failed" =>
  ending.kind === "exit" && ending.code === 0 ? "clean" : "failed";
