// Attempts counted place by place, for programs that give every worker its own: whoever fails is followed by the next
// attempt at its place, until there is none left; then the place is given up, and the service goes on with the others.

import { changeService, type Draft, putGeneration, recordEvent } from "../model/draft.ts";
import type { Failure, Worker } from "../model/worker.ts";
import { wantedGeneration } from "./pool.ts";
import { rollBack } from "./rollout.ts";

/**
 * A worker failed before it was available. Its place is tried again, or given up; in a rollout that replaces something, or
 * at a first start that leaves nobody, that fails the rollout. Returns the attempts that the place has left.
 */
export const retrySlot = (draft: Draft, worker: Worker, failure: Failure): number => {
  const generation = wantedGeneration(draft);
  if (generation?.number !== worker.generation) return 0;
  const left = generation.spec.retries + 1 - worker.attempt;
  if (left > 0) {
    putGeneration(draft, { ...generation, retrying: [...generation.retrying, worker.attempt] });
    return left;
  }
  const { rollout, current } = draft.service;
  const isIncoming = rollout !== null && !rollout.rollingBack;
  if (isIncoming && (current !== null || generation.instances <= 1)) {
    rollBack(draft, rollout, { failure, worker });
    return 0;
  }
  const instances = Math.max(0, generation.instances - 1);
  putGeneration(draft, { ...generation, instances });
  changeService(draft, { lastOutcome: "failed" });
  recordEvent(draft, { kind: "placeGivenUp", worker: worker.id, generation: generation.number, left: instances });
  return 0;
};
