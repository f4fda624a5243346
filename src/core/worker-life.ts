// The whole life of a worker in one table: its states, and what each of them makes of everything that can happen to it.
// What follows from it for the pool is decided afterwards, in reconcile.ts.

import { changeService, note, putWorker, removeWorker, specOf, type Turn } from "./model/draft.ts";
import type {
  Dismiss,
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
import { dismiss, oweAgain } from "./pool/eviction.ts";
import { endReplacement } from "./pool/pacing.ts";
import { wantedGeneration } from "./pool/pool.ts";
import { completeFailure, failAttempt } from "./pool/rollout.ts";
import { failPlace } from "./pool/slot-retries.ts";
import { countDeath, forgetDeaths } from "./worker/backoff.ts";
import { beginProbe, beginWatch, isProbed, livenessProbing, takeProbed } from "./worker/probing.ts";
import { countLoss } from "./worker/restart-counts.ts";
import { beginLeaving, endFailed, killRest, stopRest, takeNextStep } from "./worker/stopping.ts";

type Life = {
  spawned: Spawned;
  spawnFailed: SpawnFailed;
  workerReady: WorkerReady;
  probed: Probed;
  workerExited: WorkerExited;
  mainExited: MainExited;
  dismiss: Dismiss;
  leaving: Leaving;
  extended: Extended;
  moved: Moved;
  /** A tick when the worker's own deadline has passed. */
  due: Tick;
};
type In<S extends WorkerState> = Extract<Worker, { kind: S }>;
type Table = {
  [S in WorkerState]: { [E in keyof Life]: (turn: Turn, worker: In<S>, event: Life[E]) => void };
};
type Handler = (turn: Turn, worker: Worker, event: Life[keyof Life]) => void;

const nothing = (): void => {};

const LIFE = {
  starting: {
    spawned: (turn, worker, event) => beginLife(turn, worker, event),
    spawnFailed: (turn, worker, event) => failSpawn(turn, worker, event),
    workerReady: (turn, worker, event) => takeReady(turn, worker, event),
    probed: (turn, worker, event) => takeProbe(turn, worker, event),
    workerExited: (turn, worker, event) => failStart(turn, worker, event),
    mainExited: (turn, worker, event) => failByMain(turn, worker, event),
    dismiss: nothing,
    leaving: nothing,
    extended: (turn, worker, event) => extendStart(turn, worker, event),
    moved: (turn, worker, event) => move(turn, worker, event),
    due: (turn, worker, event) => startIsDue(turn, worker, event),
  },
  ready: {
    spawned: (turn, worker, event) => noteSpawned(turn, worker, event),
    spawnFailed: (turn, worker, event) => failSpawn(turn, worker, event),
    workerReady: nothing,
    probed: (turn, worker, event) => takeLiveness(turn, worker, event),
    workerExited: (turn, worker, event) => loseReady(turn, worker, event),
    mainExited: (turn, worker, event) => loseMain(turn, worker, event),
    dismiss: (turn, worker, event) => takeDismissal(turn, worker, event),
    leaving: (turn, worker) => takeLeaving(turn, worker),
    extended: nothing,
    moved: (turn, worker, event) => move(turn, worker, event),
    due: (turn, worker) => readyIsDue(turn, worker),
  },
  stopping: {
    spawned: (turn, worker, event) => noteSpawned(turn, worker, event),
    spawnFailed: (turn, worker) => finishStop(turn, worker, { ending: { kind: "unknown" }, tail: "" }),
    workerReady: nothing,
    probed: nothing,
    workerExited: (turn, worker, event) => finishStop(turn, worker, event),
    mainExited: (turn, worker, event) => leaveRest(turn, worker, event),
    dismiss: nothing,
    leaving: nothing,
    extended: (turn, worker, event) => extendStop(turn, worker, event),
    moved: (turn, worker, event) => move(turn, worker, event),
    due: (turn, worker) => takeNextStep(turn, worker),
  },
} satisfies Table;

/** Tells one worker what has happened to it. One that is not known any more stays so. */
export const tellWorker = (turn: Turn, event: Life[Exclude<keyof Life, "due">]): void => {
  const worker = findWorker(turn.workers, event.worker);
  // The row is the worker's state and the column the event's kind, so the handler is the one for both.
  if (worker) (LIFE[worker.kind][event.kind] as Handler)(turn, worker, event);
};

/** Lets every worker whose deadline has passed take notice of it. */
export const tellDueWorkers = (turn: Turn, event: Tick): void => {
  // As in tellWorker.
  for (const worker of dueWorkers(turn.workers, turn.now)) (LIFE[worker.kind].due as Handler)(turn, worker, event);
};

const beginLife = (turn: Turn, worker: In<"starting">, event: Spawned): void => {
  if (worker.pid !== null) return;
  noteSpawned(turn, { ...worker, ...delayedReadiness(turn, worker) }, event);
  const begun = findWorker(turn.workers, worker.id);
  if (begun?.kind === "starting" && isProbed(turn, begun)) beginProbe(turn, begun);
};

const noteSpawned = (turn: Turn, worker: Worker, { pid, startTime }: Spawned): void => {
  if (worker.pid !== null) return;
  putWorker(turn, { ...worker, pid, startTime });
  note(turn, { kind: "workerStarted", worker: worker.id, generation: worker.generation, pid });
};

/** Its main process is another one; what is known of it stays as it is. */
const move = (turn: Turn, worker: Worker, { pid, startTime }: Moved): void => {
  const { id, generation, pid: before } = worker;
  if (pid === before && startTime === worker.startTime) return;
  putWorker(turn, { ...worker, pid, startTime });
  note(turn, { kind: "workerMoved", worker: id, generation, before: before ?? 0, pid });
};

const readinessDelay = (turn: Turn, worker: Worker): number | null => {
  const readiness = specOf(turn, worker.generation)?.readiness;
  return readiness?.kind === "delay" ? readiness.afterMs : null;
};

/** One that proves itself by being alive has only that deadline from the moment it runs. */
const delayedReadiness = (turn: Turn, worker: In<"starting">): Partial<In<"starting">> => {
  const delay = readinessDelay(turn, worker);
  return delay === null || worker.pid !== null ? {} : { readyBy: turn.now + delay };
};

const takeReady = (turn: Turn, worker: In<"starting">, event: WorkerReady): void => {
  // One that is to be asked is not believed.
  if (!isProbed(turn, worker)) judgeReady(turn, worker, event, event.sign ?? "notify");
};

const takeProbe = (turn: Turn, worker: In<"starting">, event: Probed): void => {
  if (takeProbed(turn, worker, event)) judgeReady(turn, worker, event, "probe");
};

type Shown = { readonly at: number; readonly sockets?: SocketFinding | undefined };

/** Judged by when it was said, not by when it was heard, and by whether it can serve. */
const judgeReady = (turn: Turn, worker: In<"starting">, event: Shown, sign: Sign): void => {
  const { at, sockets } = event;
  const isLate = worker.readyBy !== null && at > worker.readyBy && readinessDelay(turn, worker) === null;
  if (isLate) failByTimeout(turn, worker, sockets);
  else if (sockets === undefined) becomeReady(turn, worker, at);
  else fail(turn, worker, { kind: "notServing", sign, sockets, tail: "" });
};

const becomeReady = (turn: Turn, worker: In<"starting">, at: number): void => {
  const { id, generation, index, attempt, pid, startTime, startedAt, replacement, restarts } = worker;
  const { now } = turn;
  const minReadyMs = specOf(turn, generation)?.minReadyMs ?? 0;
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
  const probing = livenessProbing(turn, worker);
  if (probing !== null) ready.probing = probing;
  putWorker(turn, ready);
  beginWatch(turn, worker);
  if (minReadyMs === 0) noteAvailable(turn, worker);
  note(turn, { kind: "workerReady", worker: id, generation, pid: pid ?? 0, afterMs: Math.max(0, at - startedAt) });
};

const becomeAvailable = (turn: Turn, worker: In<"ready">): void => {
  putWorker(turn, worker);
  noteAvailable(turn, worker);
};

const noteAvailable = (turn: Turn, worker: Worker): void => {
  forgetDeaths(turn);
  endReplacementBy(turn, worker);
};

/** A worker is available: without a surge, that was the last thing to be done for whom it replaces, if it replaces anybody. */
const endReplacementBy = (turn: Turn, { generation: number, replacement }: Worker): void => {
  const generation = turn.generations[number];
  const isIncoming = turn.service.rollout !== null && turn.service.rollout.rollingBack === null;
  if (generation?.spec.surge === 0 && (isIncoming || replacement === true)) endReplacement(turn, generation);
};

/** Its time is over, or the next probe is due. */
const startIsDue = (turn: Turn, worker: In<"starting">, event: Tick): void => {
  if (worker.readyBy !== null && worker.readyBy <= turn.now) endStart(turn, worker, event.sockets?.[worker.id]);
  else beginProbe(turn, worker);
};

const endStart = (turn: Turn, worker: In<"starting">, sockets: SocketFinding | undefined): void => {
  if (worker.pid !== null && readinessDelay(turn, worker) !== null)
    judgeReady(turn, worker, { at: turn.now, sockets }, "delay");
  else failByTimeout(turn, worker, sockets);
};

/** One that proves itself by being alive is ready at its time; any other may have longer to get ready, never shorter. */
const extendStart = (turn: Turn, worker: In<"starting">, { until }: Extended): void => {
  if (worker.readyBy === null || worker.readyBy >= until || readinessDelay(turn, worker) !== null) return;
  putWorker(turn, { ...worker, readyBy: until });
};

const extendStop = (turn: Turn, worker: In<"stopping">, { until }: Extended): void => {
  if (worker.stepAt !== null && worker.stepAt < until) putWorker(turn, { ...worker, stepAt: until });
};

/** Its failure counts from now on; what it said last is known when it is gone, and only then it is spoken of. */
const failByTimeout = (turn: Turn, worker: In<"starting">, sockets?: SocketFinding): void => {
  const afterMs = specOf(turn, worker.generation)?.startTimeoutMs ?? turn.now - worker.startedAt;
  const probe = worker.probing?.detail ?? "";
  const why = { ...(probe === "" ? {} : { probe }), ...(sockets === undefined ? {} : { sockets }) };
  fail(turn, worker, { kind: "timeout", afterMs, tail: "", ...why });
};

const fail = (turn: Turn, worker: In<"starting" | "ready">, failure: Failure): void => {
  endFailed(turn, worker, failure);
  countFailure(turn, worker, failure);
};

const failStart = (turn: Turn, worker: In<"starting">, { ending, tail }: WorkerExited): void => {
  removeWorker(turn, worker.id);
  const failure: Failure = { kind: "exited", ending, tail };
  noteFailed(turn, worker, failure, countFailure(turn, worker, failure));
  noteGone(turn, worker, ending, false);
};

const failSpawn = (turn: Turn, worker: Worker, { step, errno, detail }: SpawnFailed): void => {
  removeWorker(turn, worker.id);
  const failure: Failure = { kind: "spawn", step, errno, ...(detail === undefined ? {} : { detail }) };
  noteFailed(turn, worker, failure, countFailure(turn, worker, failure));
};

/** Its start has failed, and what else there is of it ends with it; what it said last is known when that is gone. */
const failByMain = (turn: Turn, worker: In<"starting"> | In<"ready">, event: MainExited): void => {
  const failure: Failure = { kind: "exited", ending: event.ending, tail: "" };
  killRest(turn, worker, event, failure);
  countFailure(turn, worker, failure);
};

/** A ready worker that ends unasked. If it was not available yet, that is a failed start like any other. */
const loseReady = (turn: Turn, worker: In<"ready">, event: WorkerExited): void => {
  if (isOnProbation(turn, worker)) return failUnavailable(turn, worker, event);
  removeWorker(turn, worker.id);
  countLost(turn, worker, event);
  noteGone(turn, worker, event.ending, false);
};

/** It is lost with its main process, whatever else there is of it. */
const loseMain = (turn: Turn, worker: In<"ready">, event: MainExited): void => {
  if (isOnProbation(turn, worker)) return failByMain(turn, worker, event);
  killRest(turn, worker, event, null);
  countLost(turn, worker, event);
};

const countLost = (turn: Turn, worker: In<"ready">, { ending }: { readonly ending: Ending }): void => {
  const { rollout, current } = turn.service;
  changeService(turn, { lastOutcome: outcomeOf(ending) });
  if (worker.availableAt !== null && worker.dismissal === undefined) oweAgain(turn, worker);
  const wanted = rollout && !rollout.rollingBack ? rollout.generation : current;
  if (worker.generation === wanted) countDeath(turn, worker, whenGone(worker));
};

const whenGone = ({ availableAt }: In<"ready">): "before available" | "after available" =>
  availableAt === null ? "after available" : "before available";

const failUnavailable = (turn: Turn, worker: In<"ready">, { ending, tail }: WorkerExited): void => {
  removeWorker(turn, worker.id);
  const failure: Failure = { kind: "exited", ending, tail };
  noteFailed(turn, worker, failure, countFailure(turn, worker, failure));
  noteGone(turn, worker, ending, false);
};

/** It has been ready for long enough, or the next probe is due. */
const readyIsDue = (turn: Turn, worker: In<"ready">): void => {
  const isAvailable = worker.availableAt !== null && worker.availableAt <= turn.now;
  const next = isAvailable ? { ...worker, availableAt: null } : worker;
  if (isAvailable) becomeAvailable(turn, next);
  const probeAt = worker.probing?.nextAt ?? null;
  if (probeAt !== null && probeAt <= turn.now) beginProbe(turn, next);
};

const takeLiveness = (turn: Turn, worker: In<"ready">, event: Probed): void => {
  if (takeProbed(turn, worker, event))
    takeDismissal(turn, worker, { reason: { kind: "notAlive", detail: event.detail } });
};

/** What ends it now fails the rollout that it was started for. */
const isOnProbation = ({ service: { rollout } }: Turn, worker: In<"ready">): boolean =>
  worker.availableAt !== null && rollout?.generation === worker.generation && rollout.rollingBack === null;

/** One that is not alive before it was available has failed like one that has exited; anybody else is replaced. */
const takeDismissal = (turn: Turn, worker: In<"ready">, { reason }: Pick<Dismiss, "reason">): void => {
  if (serves(reason) || !isOnProbation(turn, worker)) return dismiss(turn, worker, reason);
  fail(turn, worker, { kind: "dismissed", reason, tail: "" });
};

/** It goes by itself: another may come for it, and it has the time of a stop. One on probation is judged by its end. */
const takeLeaving = (turn: Turn, worker: In<"ready">): void => {
  if (isOnProbation(turn, worker)) return;
  const { id, generation, pid } = worker;
  note(turn, { kind: "workerLeaving", worker: id, generation, pid: pid ?? 0 });
  beginLeaving(turn, worker);
  const wanted = wantedGeneration(turn)?.number;
  if (generation === wanted && worker.dismissal === undefined) countDeath(turn, worker, whenGone(worker));
};

/** How it ended itself counts now, whatever becomes of the rest. */
const leaveRest = (turn: Turn, worker: In<"stopping">, event: MainExited): void => {
  if (worker.rest !== undefined) return;
  if (worker.unasked === true && worker.failure === null) changeService(turn, { lastOutcome: outcomeOf(event.ending) });
  stopRest(turn, worker, event);
};

const finishStop = (
  turn: Turn,
  worker: In<"stopping">,
  { ending, tail }: { readonly ending: Ending; readonly tail: string },
): void => {
  removeWorker(turn, worker.id);
  const { failure } = worker;
  if (failure) {
    const known = "tail" in failure ? { ...failure, tail } : failure;
    completeFailure(turn, worker, known);
    noteFailed(turn, worker, known, attemptsLeftFor(turn, worker));
  }
  if (worker.unasked === true && failure === null && worker.rest === undefined)
    changeService(turn, { lastOutcome: outcomeOf(ending) });
  noteGone(turn, worker, ending, worker.unasked !== true);
};

/** What a failure before a worker is available costs: an attempt of the rollout, or a longer wait for the next start. Returns the attempts left. */
const countFailure = (turn: Turn, worker: Worker, failure: Failure): number => {
  const { rollout, current, manner } = turn.service;
  const isOwed = oweAgain(turn, worker);
  if (manner.attempts === "place" && !isOwed) return failPlace(turn, worker, failure);
  if (manner.attempts === "endless") return failAgain(turn, worker);
  if (rollout && !rollout.rollingBack && rollout.generation === worker.generation)
    return failAttempt(turn, rollout, worker, failure);
  if (worker.generation !== current) return 0;
  changeService(turn, { lastOutcome: "failed" });
  if (!rollout || rollout.rollingBack) countDeath(turn, worker, "before available");
  return 0;
};

/** Costs nothing but time: the next start comes later. */
const failAgain = (turn: Turn, worker: Worker): number => {
  const isWanted = wantedGeneration(turn)?.number === worker.generation;
  if (isWanted) countDeath(turn, worker, "before available");
  return 0;
};

const attemptsLeftFor = ({ service: { rollout, manner }, generations }: Turn, worker: Worker): number => {
  if (manner.attempts === "place") {
    const retries = generations[worker.generation]?.spec.retries ?? 0;
    return Math.max(0, retries + 1 - worker.attempt);
  }
  return rollout?.generation === worker.generation ? rollout.attemptsLeft : 0;
};

const noteFailed = (turn: Turn, worker: Worker, failure: Failure, attemptsLeft: number): void => {
  const { id, generation, pid } = worker;
  countLoss(turn, worker);
  note(turn, { kind: "workerFailed", worker: id, generation, pid, failure, attemptsLeft });
};

const noteGone = (turn: Turn, worker: Worker, ending: Ending, expected: boolean): void => {
  const { id, generation, pid } = worker;
  if (!expected) countLoss(turn, worker);
  note(turn, { kind: "workerGone", worker: id, generation, pid, ending, expected });
};

/** What nobody could collect may have been anything, so it is no clean end. */
const outcomeOf = (ending: Ending): "clean" | "failed" =>
  ending.kind === "exit" && ending.code === 0 ? "clean" : "failed";
