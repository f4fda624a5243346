// How a worker is started: with an id of its own, because its pid is not known yet.

import { type Draft, emit, ownService, putGeneration, putWorker, recordEvent } from "../model/draft.ts";
import type { Own } from "../model/owner.ts";
import type { Generation } from "../model/state.ts";
import type { GenerationNumber, Worker } from "../model/worker.ts";
import { freeIndex } from "../model/workers.ts";
import { restartsAt } from "./restart-counts.ts";

/** Starts a worker of a generation: an additional one, or the replacement of an evicted one. */
export const startWorker = (draft: Draft, { number, spec }: Generation, as: "another" | "replacement"): void => {
  const id = draft.service.nextWorker;
  const attempt = takeAttempt(draft, number);
  const index = freeIndex(draft.workers);
  const restarts = restartsAt(draft, index, number);
  const worker: Own<Worker> = {
    id,
    generation: number,
    index,
    attempt,
    pid: null,
    startTime: 0,
    startedAt: draft.now,
    kind: "starting",
    readyBy: spec.startTimeoutMs === null ? null : draft.now + spec.startTimeoutMs,
    probing: null,
  };
  if (restarts > 0) worker.restarts = restarts;
  if (as === "replacement") worker.replacement = true;
  ownService(draft).nextWorker = id + 1;
  putWorker(draft, worker);
  emit(draft, { kind: "start", worker: id });
  recordEvent(draft, { kind: "workerStarting", worker: id, generation: number });
};

/** The next attempt of a slot whose last worker failed, if there is one; else the first. */
const takeAttempt = (draft: Draft, number: GenerationNumber): number => {
  const generation = draft.generations[number];
  const failed = generation?.retrying[0];
  if (!generation || failed === undefined) return 1;
  putGeneration(draft, { ...generation, retrying: generation.retrying.slice(1) });
  return failed + 1;
};
