// What a measurement says of the workers' memory, for the core to judge, where the service's spec has a limit to it.

import { allWorkers } from "../../../core/model/workers.ts";
import { wantedGeneration } from "../../../core/pool/pool.ts";
import type { Memory } from "../../state/store.ts";

/** Tells the core how large the workers were when they were measured last. Those whose memory may not be read stay as they are. */
export const recycleByMemory = (memory: Memory, now: number): void => {
  if ((wantedGeneration(memory.core)?.spec.maxMemory ?? null) === null) return;
  const sizes = allWorkers(memory.core.workers).flatMap(({ id }) => {
    const bytes = memory.measurements.worker(id)?.memory ?? null;
    return bytes === null ? [] : [{ worker: id, bytes }];
  });
  memory.advance({ kind: "measured", now, sizes });
};
