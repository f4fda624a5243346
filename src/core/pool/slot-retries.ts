// Attempts counted place by place, for programs that give every worker its own: whoever fails is followed by the next
// attempt at its place, until there is none left; then the place is given up, and the service goes on with the others.

import { changeService, note, putGeneration, type Turn } from "../model/draft.ts";
import type { Failure, Worker } from "../model/worker.ts";
import { wantedGeneration } from "./pool.ts";
import { rollBack } from "./rollout.ts";

/**
 * A worker failed before it was available. Its place is tried again, or given up; in a rollout that replaces something, or
 * at a first start that leaves nobody, that fails the rollout. Returns the attempts that the place has left.
 */
export const failPlace = (turn: Turn, worker: Worker, failure: Failure): number => {
  const generation = wantedGeneration(turn);
  if (generation?.number !== worker.generation) return 0;
  const left = generation.spec.retries + 1 - worker.attempt;
  if (left > 0) {
    putGeneration(turn, { ...generation, retrying: [...generation.retrying, worker.attempt] });
    return left;
  }
  const { rollout, current } = turn.service;
  const isIncoming = rollout !== null && !rollout.rollingBack;
  if (isIncoming && (current !== null || generation.instances <= 1)) {
    rollBack(turn, rollout, { failure, worker });
    return 0;
  }
  const instances = Math.max(0, generation.instances - 1);
  putGeneration(turn, { ...generation, instances });
  changeService(turn, { lastOutcome: "failed" });
  note(turn, { kind: "placeGivenUp", worker: worker.id, generation: generation.number, left: instances });
  return 0;
};
