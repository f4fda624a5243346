// Passes the workers' memory from a measurement to the core, if the spec has a memory limit.

import { allWorkers } from "../../../core/model/workers.ts";
import { wantedGeneration } from "../../../core/pool/pool.ts";
import type { Store } from "../../state/store.ts";

/** Passes on the workers' last measured memory. Workers whose memory could not be read are left out. */
export const recycleByMemory = (store: Store, now: number): void => {
  if ((wantedGeneration(store.core)?.spec.maxMemory ?? null) === null) return;
  const sizes = allWorkers(store.core.workers).flatMap(({ id }) => {
    const bytes = store.measurements.worker(id)?.memory ?? null;
    return bytes === null ? [] : [{ worker: id, bytes }];
  });
  store.advance({ kind: "measured", now, sizes });
};
