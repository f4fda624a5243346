// Rollout: replaces the current generation with the incoming one. A rollback is the same in the other direction. The
// next action follows from the state alone, whatever the event was.

import { answer, changeService, type Draft, emit, ownService, putGeneration, recordEvent } from "../model/draft.ts";
import type { Run } from "../model/events.ts";
import { withGood } from "../model/history.ts";
import { sharedSpec } from "../model/spec.ts";
import { STANDING } from "../model/standing.ts";
import type { Generation, Rollout } from "../model/state.ts";
import type { Failure, Worker } from "../model/worker.ts";
import { findWorker } from "../model/workers.ts";
import { forgetBackoff, keepPace } from "../worker/backoff.ts";
import { startWorker } from "../worker/starting.ts";
import { beginStop } from "../worker/stopping.ts";
import { limitPendingReplacements, takeSlot } from "./eviction.ts";
import { groupsOfOthers, groupsOfWanted, type Taking, takeFrom } from "./others.ts";
import { endReplacement, forgetPause, recordWaiting } from "./pacing.ts";
import {
  type Census,
  isAvailableKind,
  isComplete,
  isEvictedKind,
  type Kind,
  mayAllGo,
  mayStop,
  startsWanted,
  takeCensus,
  wantedGeneration,
} from "./pool.ts";

/** Makes a spec the incoming generation. A rollout in flight is superseded. */
export const beginRollout = (draft: Draft, run: Pick<Run, "spec" | "request" | "now" | "wallNow" | "order">): void => {
  if (draft.service.rollout) abandonRollout(draft, { kind: "superseded" });
  const number = draft.service.nextGeneration;
  const { request, now } = run;
  // Compared here, so that `withGood` compares by identity when the rollout completes and an old worker is to stop.
  const spec = sharedSpec(run.spec, draft.history.at(-1)?.spec);
  putGeneration(draft, {
    number,
    spec,
    instances: spec.instances,
    retrying: [],
    createdAt: now,
    createdAtWall: run.wallNow,
  });
  changeService(draft, {
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
  forgetBackoff(draft);
  forgetPause(draft);
  recordEvent(draft, { kind: "rolloutStarted", generation: number, instances: spec.instances });
};

/**
 * Drops the rollout in flight and reports it. A rollback keeps its reason, even if the last output is not known yet.
 */
export const abandonRollout = (draft: Draft, failure: Failure): void => {
  const { rollout } = draft.service;
  if (!rollout) return;
  if (!rollout.rollingBack) reportRollback(draft, rollout, { failure, worker: null, pid: null });
  else if (!rollout.rollingBack.told) reportRollback(draft, rollout, rollout.rollingBack);
  ownService(draft).rollout = null;
};

/** A worker failed before it was available: takes an attempt, or rolls back. Returns the attempts left. */
export const failAttempt = (draft: Draft, rollout: Rollout, worker: Worker, failure: Failure): number => {
  if (rollout.attemptsLeft > 0) {
    const attemptsLeft = rollout.attemptsLeft - 1;
    ownService(draft).rollout = { ...rollout, attemptsLeft };
    return attemptsLeft;
  }
  rollBack(draft, rollout, { failure, worker });
  return 0;
};

/** The rollout has failed: from here on the current generation is wanted. */
export const rollBack = (
  draft: Draft,
  rollout: Rollout,
  why: { readonly failure: Failure; readonly worker: Worker | null },
): void => {
  const { failure, worker } = why;
  changeService(draft, {
    rollout: {
      ...rollout,
      rollingBack: { failure, worker: worker?.id ?? null, pid: worker?.pid ?? null, told: false },
    },
  });
  forgetBackoff(draft);
  forgetPause(draft);
};

/** Fails a rollout whose deadline has passed. With all workers available it completes in this step and is not late. */
export const checkDeadline = (draft: Draft): void => {
  const { rollout } = draft.service;
  if (!rollout || !deadlineCounts(draft.service) || rollout.deadlineAt === null || rollout.deadlineAt > draft.now)
    return;
  const wanted = wantedGeneration(draft);
  if (wanted && isCompleteNow(draft, wanted)) return;
  rollBack(draft, rollout, {
    failure: { kind: "deadline", afterMs: rollout.deadlineAt - rollout.startedAt },
    worker: null,
  });
};

/** Whether the new workers are available and nothing holds up the remaining old ones. */
const isCompleteNow = (draft: Draft, wanted: Generation): boolean => {
  const census = takeCensus(draft, wanted);
  return census.wantedAvailable >= wanted.instances && mayAllGo(draft, wanted, census);
};

/** A failed rollout that was answered is not in flight, even while its rollback goes on. */
export const isInFlight = ({ rollout, pendingRecord }: Draft["service"]): boolean =>
  pendingRecord !== null || (rollout !== null && !rollout.rollingBack?.told);

/** A rollout that only waits for an earlier record to be written is not late. */
export const deadlineCounts = ({ rollout, pendingRecord }: Draft["service"]): boolean =>
  rollout !== null && rollout.rollingBack === null && pendingRecord === null;

/** The failed worker is gone: completes its failure with its last output. */
export const completeFailure = (draft: Draft, worker: Worker, failure: Failure): void => {
  const { rollout } = draft.service;
  if (!rollout?.rollingBack || rollout.rollingBack.worker !== worker.id) return;
  changeService(draft, {
    rollout: { ...rollout, rollingBack: { ...rollout.rollingBack, failure, pid: worker.pid } },
  });
};

/** Stops and starts what the rollout or rollback allows now, and ends it when it is done. */
export const advanceRollout = (draft: Draft): void => {
  const wanted = wantedGeneration(draft);
  limitPendingReplacements(draft, wanted);
  let census = takeCensus(draft, wanted);
  if (wanted && census.wantedAlive > wanted.instances) {
    stopExcess(draft, wanted, census.wantedAlive - wanted.instances);
    census = takeCensus(draft, wanted);
  }
  stopOthers(draft, wanted, census);
  if (wanted) startMissing(draft, wanted, census);
  const { rollout } = draft.service;
  if (rollout?.rollingBack) finishRollback(draft, rollout, wanted, census);
  else if (rollout && wanted && isComplete(wanted, census) && draft.service.pendingRecord === null)
    complete(draft, rollout, wanted);
  else if (wanted) recordWaiting(draft, wanted, census);
};

/** After a scale-down in a rollout, too many wanted workers may live: those that are not available stop first. */
const stopExcess = (draft: Draft, wanted: Generation, excess: number): void =>
  takeFrom(draft, groupsOfWanted(draft, wanted), STOP_EXCESS, { draft, remaining: excess });

const STOP_EXCESS: Taking<{ readonly draft: Draft; remaining: number }> = {
  may: ({ remaining }) => remaining > 0,
  take: (known, worker) => {
    beginStop(known.draft, worker);
    known.remaining -= 1;
  },
};

/** Stops those of the others that may stop. */
export const stopOthers = (draft: Draft, wanted: Generation | null, census: Census): void => {
  if (census.othersLeft === 0) return;
  const { available } = census;
  takeFrom(draft, groupsOfOthers(draft, wanted), STOP_OTHERS, { draft, wanted, census });
  const isServing = census.available < available;
  // With a surge the replacement is complete here; without one, when the successor is available.
  if (isServing && wanted && wanted.spec.surge > 0 && census.wantedAvailable > 0) endReplacement(draft, wanted.spec);
};

/** A value, because on this engine a closure for each step takes longer. */
const STOP_OTHERS: Taking<{ readonly draft: Draft; readonly wanted: Generation | null; readonly census: Census }> = {
  may: ({ draft, wanted, census }, kind) => mayStop(draft, wanted, census, kind),
  take: ({ draft, census }, worker, kind) => {
    beginStop(draft, worker);
    countStopped(census, kind);
  },
};

/** One of the others is stopping. */
const countStopped = (census: Census, kind: Kind): void => {
  const { standing } = kind;
  census.othersLeft -= 1;
  census.alive -= 1;
  if (isAvailableKind(kind)) census.available -= 1;
  if (isEvictedKind(kind)) census.evicted -= 1;
  if (standing === STANDING.broken) census.broken -= 1;
  if (standing !== STANDING.starting) census.draining += 1;
};

/** Starts as many workers of the wanted generation as there is room for, if no start delay is running. */
export const startMissing = (draft: Draft, wanted: Generation, census: Census): void => {
  if (draft.now < draft.service.nextStartAt) return;
  const count = isFirstOfFleet(draft) ? wanted.instances - census.wantedAlive : startsWanted(draft, wanted, census);
  if (count <= 0) return;
  for (let started = 0; started < count; started++)
    startWorker(draft, wanted, takeSlot(draft) ? "replacement" : "another");
  census.wantedAlive += count;
  census.alive += count;
  census.processes += count;
  const { current, restarts } = draft.service;
  if (wanted.number === current) ownService(draft).restarts = restarts + count;
  keepPace(draft);
};

/** A fleet's workers all start in the step that begins its rollout. Lost ones are restarted at the usual pace. */
const isFirstOfFleet = ({ before, service: { rollout } }: Draft): boolean =>
  rollout?.order === "fleet" && before.service.rollout?.generation !== rollout.generation;

const complete = (draft: Draft, rollout: Rollout, { number, spec, createdAt, createdAtWall }: Generation): void => {
  const at = createdAtWall + (draft.now - createdAt);
  draft.history = withGood(draft.history, { generation: number, at, spec });
  const service = ownService(draft);
  service.current = number;
  service.rollout = null;
  service.pendingRecord = { generation: number, requests: rollout.requests };
  service.lastOutcome = "clean";
  emit(draft, { kind: "record" });
  recordEvent(draft, { kind: "rolloutComplete", generation: number, tookMs: draft.now - rollout.startedAt });
};

/** Answers once the failure is fully known. Ends the rollback when the current generation has its workers again. */
const finishRollback = (draft: Draft, rollout: Rollout, wanted: Generation | null, census: Census): void => {
  const { rollingBack } = rollout;
  if (!rollingBack) return;
  const isKnown = rollingBack.worker === null || findWorker(draft.workers, rollingBack.worker) === undefined;
  if (!rollingBack.told && !isKnown) return;
  if (!rollingBack.told) reportRollback(draft, rollout, rollingBack);
  const isRestored = !draft.service.manner.restores || wanted === null || census.wantedAlive >= wanted.instances;
  const isOver = census.othersLeft === 0 && isRestored;
  if (isOver) ownService(draft).rollout = null;
  else if (!rollingBack.told)
    changeService(draft, { rollout: { ...rollout, requests: [], rollingBack: { ...rollingBack, told: true } } });
};

/** Answers and reports that the rollout was rolled back, and why. */
const reportRollback = (
  draft: Draft,
  { generation, requests }: Rollout,
  why: { readonly failure: Failure; readonly worker: number | null; readonly pid: number | null },
): void => {
  const { failure, worker, pid } = why;
  ownService(draft).lastOutcome = "failed";
  recordEvent(draft, { kind: "rolloutRolledBack", generation, failure, current: draft.service.current });
  answer(draft, requests, { kind: "rolledBack", generation, worker, pid, failure });
};
