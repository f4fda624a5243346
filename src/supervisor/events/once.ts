// What would be said of every worker of a generation, and is said of the first: remembered beyond the supervisor's life.
import type { GenerationNumber } from "../../core/model/worker.ts";
import { rememberOnce } from "../state/remember.ts";
import type { Memory } from "../state/store.ts";

/** Whether nothing of this kind was said for this generation yet. It counts as said from now on. */
export const isFirst = (memory: Memory, what: string, generation: GenerationNumber): boolean => {
  if ((memory.once[what] ?? 0) >= generation) return false;
  rememberOnce(memory, { ...memory.once, [what]: generation });
  return true;
};
