// Replacing the current generation with the incoming one, and, when that has failed, the way back, which is the same
// thing in the other direction. What is done next follows from the state alone, whatever event led to it.

import { answer, changeService, emit, note, putGeneration, type Turn } from "../model/draft.ts";
import type { Run } from "../model/events.ts";
import { withGood } from "../model/history.ts";
import { sharedSpec } from "../model/spec.ts";
import { isAvailable, isBroken, isDismissed } from "../model/standing.ts";
import type { Generation, Rollout } from "../model/state.ts";
import type { Failure, Worker } from "../model/worker.ts";
import { findWorker } from "../model/workers.ts";
import { forgetBackoff, keepPace } from "../worker/backoff.ts";
import { startWorker } from "../worker/starting.ts";
import { beginStop } from "../worker/stopping.ts";
import { limitOwed, takePlace } from "./eviction.ts";
import { takeOthers, takeWanted } from "./others.ts";
import { endReplacement, forgetPause, noteWaiting } from "./pacing.ts";
import { type Census, isComplete, mayAllGo, mayStop, startsWanted, takeCensus, wantedGeneration } from "./pool.ts";

/** Makes a spec the incoming generation. One that is already on its way is superseded. */
export const beginRollout = (turn: Turn, run: Pick<Run, "spec" | "request" | "now" | "wallNow" | "order">): void => {
  if (turn.service.rollout) abandonRollout(turn, { kind: "superseded" });
  const number = turn.service.nextGeneration;
  const { request, now } = run;
  // Compared now, and not when the rollout is complete and an old worker is to be stopped (withGood).
  const spec = sharedSpec(run.spec, turn.history.at(-1)?.spec);
  putGeneration(turn, {
    number,
    spec,
    instances: spec.instances,
    retrying: [],
    createdAt: now,
    createdAtWall: run.wallNow,
  });
  changeService(turn, {
    nextGeneration: number + 1,
    rollout: {
      generation: number,
      startedAt: now,
      deadlineAt: spec.rolloutDeadlineMs === null ? null : now + spec.rolloutDeadlineMs,
      attemptsLeft: spec.retries,
      requests: request === null ? [] : [request],
      origin: request === null ? "crank" : "request",
      order: run.order,
      rollingBack: null,
    },
  });
  forgetBackoff(turn);
  forgetPause(turn);
  note(turn, { kind: "rolloutStarted", generation: number, instances: spec.instances });
};

/** Drops the rollout in flight and says so. One that had failed already says why, even if its last lines are not known yet. */
export const abandonRollout = (turn: Turn, failure: Failure): void => {
  const { rollout } = turn.service;
  if (!rollout) return;
  if (!rollout.rollingBack) tell(turn, rollout, { failure, worker: null, pid: null });
  else if (!rollout.rollingBack.told) tell(turn, rollout, rollout.rollingBack);
  changeService(turn, { rollout: null });
};

/** A worker of the incoming generation failed before it was available: one attempt less, or the way back. Returns the attempts left. */
export const failAttempt = (turn: Turn, rollout: Rollout, worker: Worker, failure: Failure): number => {
  if (rollout.attemptsLeft > 0) {
    const attemptsLeft = rollout.attemptsLeft - 1;
    changeService(turn, { rollout: { ...rollout, attemptsLeft } });
    return attemptsLeft;
  }
  rollBack(turn, rollout, { failure, worker });
  return 0;
};

/** The rollout has failed: from here on the current generation is what is wanted. */
export const rollBack = (
  turn: Turn,
  rollout: Rollout,
  why: { readonly failure: Failure; readonly worker: Worker | null },
): void => {
  const { failure, worker } = why;
  changeService(turn, {
    rollout: {
      ...rollout,
      rollingBack: { failure, worker: worker?.id ?? null, pid: worker?.pid ?? null, told: false },
    },
  });
  forgetBackoff(turn);
  forgetPause(turn);
};

/** Fails a rollout whose own deadline has passed. With all its workers available it is complete with this very step, and not late. */
export const checkDeadline = (turn: Turn): void => {
  const { rollout } = turn.service;
  if (!rollout || !deadlineCounts(turn.service) || rollout.deadlineAt === null || rollout.deadlineAt > turn.now) return;
  const wanted = wantedGeneration(turn);
  if (wanted && isCompleteNow(turn, wanted)) return;
  rollBack(turn, rollout, {
    failure: { kind: "deadline", afterMs: rollout.deadlineAt - rollout.startedAt },
    worker: null,
  });
};

/** Whether the new workers are there, and nothing holds up those that are left of the old ones. */
const isCompleteNow = (turn: Turn, wanted: Generation): boolean => {
  const census = takeCensus(turn, wanted);
  return census.wantedAvailable >= wanted.instances && mayAllGo(turn, wanted, census);
};

/** A failed rollout that has been answered for is in nobody's way, even if what it had replaced is still being brought back. */
export const isInFlight = ({ rollout, pendingRecord }: Turn["service"]): boolean =>
  pendingRecord !== null || (rollout !== null && !rollout.rollingBack?.told);

/** A rollout that only waits for an earlier record to be written is not late. */
export const deadlineCounts = ({ rollout, pendingRecord }: Turn["service"]): boolean =>
  rollout !== null && rollout.rollingBack === null && pendingRecord === null;

/** A worker that failed by a timeout is gone, and what it said last is known. */
export const completeFailure = (turn: Turn, worker: Worker, failure: Failure): void => {
  const { rollout } = turn.service;
  if (!rollout?.rollingBack || rollout.rollingBack.worker !== worker.id) return;
  changeService(turn, {
    rollout: { ...rollout, rollingBack: { ...rollout.rollingBack, failure, pid: worker.pid } },
  });
};

/** Stops and starts whatever the rollout, or the way back, allows now, and ends it when it is done. */
export const advanceRollout = (turn: Turn): void => {
  const wanted = wantedGeneration(turn);
  limitOwed(turn, wanted);
  let census = takeCensus(turn, wanted);
  if (wanted && census.wantedAlive > wanted.instances) {
    stopExcess(turn, wanted, census.wantedAlive - wanted.instances);
    census = takeCensus(turn, wanted);
  }
  stopOthers(turn, wanted, census);
  if (wanted) startMissing(turn, wanted, census);
  const { rollout } = turn.service;
  if (rollout?.rollingBack) finishRollback(turn, rollout, wanted, census);
  else if (rollout && wanted && isComplete(wanted, census) && turn.service.pendingRecord === null)
    complete(turn, rollout, wanted);
  else if (wanted) noteWaiting(turn, wanted, census);
};

/** Scaled down on the way, there may be more of the wanted generation than are wanted: those that are not available go first. */
const stopExcess = (turn: Turn, wanted: Generation, excess: number): void => {
  let left = excess;
  takeWanted(turn, wanted, (worker) => {
    if (left === 0) return false;
    beginStop(turn, worker);
    left -= 1;
    return true;
  });
};

/** Tells those of the others to go that may. */
export const stopOthers = (turn: Turn, wanted: Generation | null, census: Census): void => {
  if (census.othersLeft === 0) return;
  let isServing = false;
  takeOthers(turn, wanted, (worker) => {
    if (!mayStop(turn, wanted, census, worker)) return false;
    beginStop(turn, worker);
    census.othersLeft -= 1;
    census.alive -= 1;
    if (isAvailable(worker)) census.available -= 1;
    if (isDismissed(worker)) census.dismissed -= 1;
    if (isBroken(worker)) census.broken -= 1;
    if (worker.kind === "ready") {
      census.draining += 1;
      if (isAvailable(worker)) isServing = true;
    }
    return true;
  });
  // With a surge a replacement ends here; without one, when the successor is available.
  if (isServing && wanted && wanted.spec.surge > 0 && census.wantedAvailable > 0) endReplacement(turn, wanted);
};

/** Starts as many workers of the wanted generation as there is room for, if the time has come. */
export const startMissing = (turn: Turn, wanted: Generation, census: Census): void => {
  if (turn.now < turn.service.nextStartAt) return;
  const count = isFirstOfFleet(turn) ? wanted.instances - census.wantedAlive : startsWanted(turn, wanted, census);
  for (let started = 0; started < count; started++)
    startWorker(turn, wanted, takePlace(turn) ? "replacement" : "another");
  census.wantedAlive += count;
  census.alive += count;
  census.processes += count;
  const { current, restarts } = turn.service;
  if (count > 0 && wanted.number === current) changeService(turn, { restarts: restarts + count });
  if (count > 0) keepPace(turn);
};

/** A fleet's workers are all started in the step that begins its rollout; those that are lost later, at the usual pace. */
const isFirstOfFleet = ({ before, service: { rollout } }: Turn): boolean =>
  rollout?.order === "fleet" && before.service.rollout?.generation !== rollout.generation;

const complete = (turn: Turn, rollout: Rollout, { number, spec, createdAt, createdAtWall }: Generation): void => {
  const at = createdAtWall + (turn.now - createdAt);
  turn.history = withGood(turn.history, { generation: number, at, spec });
  changeService(turn, {
    current: number,
    rollout: null,
    pendingRecord: { generation: number, requests: rollout.requests },
    lastOutcome: "clean",
  });
  emit(turn, { kind: "record" });
  note(turn, { kind: "rolloutComplete", generation: number, tookMs: turn.now - rollout.startedAt });
};

/** Answers as soon as the failure is known in full; ends the way back when the current generation has its workers again. */
const finishRollback = (turn: Turn, rollout: Rollout, wanted: Generation | null, census: Census): void => {
  const { rollingBack } = rollout;
  if (!rollingBack) return;
  const isKnown = rollingBack.worker === null || findWorker(turn.workers, rollingBack.worker) === undefined;
  if (!rollingBack.told && !isKnown) return;
  if (!rollingBack.told) tell(turn, rollout, rollingBack);
  const isRestored = !turn.service.manner.restores || wanted === null || census.wantedAlive >= wanted.instances;
  const isOver = census.othersLeft === 0 && isRestored;
  if (isOver) changeService(turn, { rollout: null });
  else if (!rollingBack.told)
    changeService(turn, { rollout: { ...rollout, requests: [], rollingBack: { ...rollingBack, told: true } } });
};

/** The rollout's answer and note: it was rolled back, and why. */
const tell = (
  turn: Turn,
  { generation, requests }: Rollout,
  why: { readonly failure: Failure; readonly worker: number | null; readonly pid: number | null },
): void => {
  const { failure, worker, pid } = why;
  changeService(turn, { lastOutcome: "failed" });
  note(turn, { kind: "rolloutRolledBack", generation, failure, current: turn.service.current });
  answer(turn, requests, { kind: "rolledBack", generation, worker, pid, failure });
};
