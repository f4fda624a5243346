// Attempts per slot, for programs that count them for each worker: a failed worker is followed by the next attempt in
// its slot. When no attempt is left, the slot is given up and the service goes on with the others.

import { type Draft, ownService, putGeneration, recordEvent } from "../model/draft.ts";
import type { Failure, Worker } from "../model/worker.ts";
import { wantedGeneration } from "./pool.ts";
import { rollBack } from "./rollout.ts";

/**
 * A worker failed before it was available: retries its slot, or gives it up. A rollout that replaces a generation, or a
 * first start that leaves no worker, fails instead of giving up the slot. Returns the attempts left for the slot.
 */
export const retrySlot = (draft: Draft, worker: Worker, failure: Failure): number => {
  const generation = wantedGeneration(draft);
  if (generation?.number !== worker.generation) return 0;
  const remaining = generation.spec.retries + 1 - worker.attempt;
  if (remaining > 0) {
    putGeneration(draft, { ...generation, retrying: [...generation.retrying, worker.attempt] });
    return remaining;
  }
  const { rollout, current } = draft.service;
  const isIncoming = rollout !== null && !rollout.rollingBack;
  if (isIncoming && (current !== null || generation.instances <= 1)) {
    rollBack(draft, rollout, { failure, worker });
    return 0;
  }
  const instances = Math.max(0, generation.instances - 1);
  putGeneration(draft, { ...generation, instances });
  ownService(draft).lastOutcome = "failed";
  recordEvent(draft, { kind: "placeGivenUp", worker: worker.id, generation: generation.number, left: instances });
  return 0;
};
