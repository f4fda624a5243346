// How often workers were started again, place by place: a place is an index, for as long as a generation's workers follow
// one another there. For people; nothing is decided by it.

import { changeService, type Draft } from "../model/draft.ts";
import type { GenerationNumber, Worker } from "../model/worker.ts";

/** A worker was lost: who comes to its place next was started again. Once more for the same one changes nothing. */
export const countRestart = (draft: Draft, { index, generation, restarts = 0 }: Worker): void => {
  changeService(draft, { losses: { ...draft.service.losses, [index]: { generation, restarts: restarts + 1 } } });
};

/** How often a worker was started again at this place, with the one that is being started now. */
export const restartsAt = (draft: Draft, index: number, generation: GenerationNumber): number => {
  const { losses } = draft.service;
  const loss = losses?.[index];
  if (loss === undefined) return 0;
  const { [index]: _, ...others } = losses ?? {};
  changeService(draft, { losses: others });
  return loss.generation === generation ? loss.restarts : 0;
};
