// Passes the workers' memory from a measurement to the core, if the spec has a memory limit.

import { allWorkers } from "../../../core/model/workers.ts";
import { wantedGeneration } from "../../../core/pool/pool.ts";
import type { Memory } from "../../state/store.ts";

/** Passes on the workers' last measured memory. Workers whose memory could not be read are left out. */
export const recycleByMemory = (memory: Memory, now: number): void => {
  if ((wantedGeneration(memory.core)?.spec.maxMemory ?? null) === null) return;
  const sizes = allWorkers(memory.core.workers).flatMap(({ id }) => {
    const bytes = memory.measurements.worker(id)?.memory ?? null;
    return bytes === null ? [] : [{ worker: id, bytes }];
  });
  memory.advance({ kind: "measured", now, sizes });
};
