// How a worker is started: as a number of its own, before anybody knows its pid.

import { changeService, emit, note, putGeneration, putWorker, type Turn } from "../model/draft.ts";
import type { Own } from "../model/owner.ts";
import type { Generation } from "../model/state.ts";
import type { GenerationNumber, Worker } from "../model/worker.ts";
import { freeIndex } from "../model/workers.ts";
import { restartsAt } from "./restart-counts.ts";

/** Starts one more worker of a generation: one more of the pool, or one in the place of another that was dismissed. */
export const startWorker = (turn: Turn, { number, spec }: Generation, as: "another" | "replacement"): void => {
  const id = turn.service.nextWorker;
  const attempt = takeAttempt(turn, number);
  const index = freeIndex(turn.workers);
  const restarts = restartsAt(turn, index, number);
  const worker: Own<Worker> = {
    id,
    generation: number,
    index,
    attempt,
    pid: null,
    startTime: 0,
    startedAt: turn.now,
    kind: "starting",
    readyBy: spec.startTimeoutMs === null ? null : turn.now + spec.startTimeoutMs,
    probing: null,
  };
  if (restarts > 0) worker.restarts = restarts;
  if (as === "replacement") worker.replacement = true;
  changeService(turn, { nextWorker: id + 1 });
  putWorker(turn, worker);
  emit(turn, { kind: "start", worker: id });
  note(turn, { kind: "workerStarting", worker: id, generation: number });
};

/** The next attempt at a place whose last worker failed, if there is one; else the first. */
const takeAttempt = (turn: Turn, number: GenerationNumber): number => {
  const generation = turn.generations[number];
  const failed = generation?.retrying[0];
  if (!generation || failed === undefined) return 1;
  putGeneration(turn, { ...generation, retrying: generation.retrying.slice(1) });
  return failed + 1;
};
