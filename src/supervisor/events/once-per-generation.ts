// Reports that are made once for a generation, not for every worker of it. Remembered across supervisors.
import type { GenerationNumber } from "../../core/model/worker.ts";
import { saveOnce } from "../state/save.ts";
import type { Store } from "../state/store.ts";

/** Whether this was not reported for this generation yet. It counts as reported from now on. */
export const isFirst = (store: Store, what: string, generation: GenerationNumber): boolean => {
  if ((store.once[what] ?? 0) >= generation) return false;
  saveOnce(store, { ...store.once, [what]: generation });
  return true;
};
