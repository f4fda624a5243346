// What the end of a worker counts as: a failure, a loss, or what was asked for.
import { type Draft, ownService, recordEvent, removeWorker } from "../model/draft.ts";
import type { MainExited, SpawnFailed } from "../model/events.ts";
import type { Ending, Failure, In, Worker } from "../model/worker.ts";
import { replaceAgain } from "../pool/eviction.ts";
import { wantedGeneration } from "../pool/pool.ts";
import { failAttempt } from "../pool/rollout.ts";
import { retrySlot } from "../pool/slot-retries.ts";
import { countDeath } from "../worker/backoff.ts";
import { countRestart } from "../worker/restart-counts.ts";
import { endFailed, killRest } from "../worker/stopping.ts";

/**
 * Counts a failure before available: it costs an attempt of the rollout, or delays the next start. Returns attempts
 * left.
 */
export const countFailure = (draft: Draft, worker: Worker, failure: Failure): number => {
  const { rollout, current, manner } = draft.service;
  const isOwed = replaceAgain(draft, worker);
  if (manner.attempts === "place" && !isOwed) return retrySlot(draft, worker, failure);
  if (manner.attempts === "endless") return failAgain(draft, worker);
  if (rollout && !rollout.rollingBack && rollout.generation === worker.generation)
    return failAttempt(draft, rollout, worker, failure);
  if (worker.generation !== current) return 0;
  ownService(draft).lastOutcome = "failed";
  if (!rollout || rollout.rollingBack) countDeath(draft, worker, "before available");
  return 0;
};

/** Costs no attempt: only the next start comes later. */
const failAgain = (draft: Draft, worker: Worker): number => {
  const isWanted = wantedGeneration(draft)?.number === worker.generation;
  if (isWanted) countDeath(draft, worker, "before available");
  return 0;
};

export const attemptsLeftFor = ({ service: { rollout, manner }, generations }: Draft, worker: Worker): number => {
  if (manner.attempts === "place") {
    const retries = generations[worker.generation]?.spec.retries ?? 0;
    return Math.max(0, retries + 1 - worker.attempt);
  }
  return rollout?.generation === worker.generation ? rollout.attemptsLeft : 0;
};

export const noteFailed = (draft: Draft, worker: Worker, failure: Failure, attemptsLeft: number): void => {
  const { id, generation, pid } = worker;
  countRestart(draft, worker);
  recordEvent(draft, { kind: "workerFailed", worker: id, generation, pid, failure, attemptsLeft });
};

export const noteGone = (draft: Draft, worker: Worker, ending: Ending, expected: boolean): void => {
  const { id, generation, pid } = worker;
  if (!expected) countRestart(draft, worker);
  recordEvent(draft, { kind: "workerGone", worker: id, generation, pid, ending, expected });
};

/** An ending that could not be collected is unknown, so it is not clean. */
export const outcomeOf = (ending: Ending): "clean" | "failed" =>
  ending.kind === "exit" && ending.code === 0 ? "clean" : "failed";

export const fail = (draft: Draft, worker: In<"starting" | "ready">, failure: Failure): void => {
  endFailed(draft, worker, failure);
  countFailure(draft, worker, failure);
};

export const failSpawn = (draft: Draft, worker: Worker, { step, errno, detail }: SpawnFailed): void => {
  removeWorker(draft, worker.id);
  const failure: Failure = { kind: "spawn", step, errno, ...(detail === undefined ? {} : { detail }) };
  noteFailed(draft, worker, failure, countFailure(draft, worker, failure));
};

/** The main process has ended, so the start has failed. It is reported when the rest of the tree is gone too. */
export const failByMain = (draft: Draft, worker: In<"starting"> | In<"ready">, event: MainExited): void => {
  const failure: Failure = { kind: "exited", ending: event.ending, tail: "" };
  killRest(draft, worker, event, failure);
  countFailure(draft, worker, failure);
};
