// Reports that are made once for a generation, not for every worker of it. Remembered across supervisors.
import type { GenerationNumber } from "../../core/model/worker.ts";
import { rememberOnce } from "../state/remember.ts";
import type { Memory } from "../state/store.ts";

/** Whether this was not reported for this generation yet. It counts as reported from now on. */
export const isFirst = (memory: Memory, what: string, generation: GenerationNumber): boolean => {
  if ((memory.once[what] ?? 0) >= generation) return false;
  rememberOnce(memory, { ...memory.once, [what]: generation });
  return true;
};
