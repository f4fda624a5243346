// Restart counts per slot. A slot is an index for as long as workers of one generation follow one another there. For
// people only: nothing is decided by it.

import { type Draft, ownService } from "../model/draft.ts";
import type { GenerationNumber, Worker } from "../model/worker.ts";

/**
 * A worker was lost: its successor in the slot counts as a restart. Repeated for the same worker it changes nothing.
 */
export const countRestart = (draft: Draft, { index, generation, restarts = 0 }: Worker): void => {
  ownService(draft).losses = { ...draft.service.losses, [index]: { generation, restarts: restarts + 1 } };
};

/** Restart count of the slot, including the start that happens now. */
export const restartsAt = (draft: Draft, index: number, generation: GenerationNumber): number => {
  const { losses } = draft.service;
  const loss = losses?.[index];
  if (loss === undefined) return 0;
  const { [index]: _, ...others } = losses ?? {};
  ownService(draft).losses = others;
  return loss.generation === generation ? loss.restarts : 0;
};
