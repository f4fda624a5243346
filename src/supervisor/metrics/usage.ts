// The resource usage of one worker, from the last measurement.
import type { Usage } from "../../control/messages.ts";
import type { Store } from "../state/store.ts";
import { wallTime } from "../state/wall-time.ts";

/** The usage of a worker when it was last measured. */
export const usageOf = (store: Store, worker: number): Usage | null => {
  const { last } = store.measurements;
  const usage = last && store.measurements.worker(worker);
  if (!last || !usage) return null;
  const { processes, memory: bytes, cpuMs, connections } = usage;
  return {
    at: wallTime(store.facts, last.endedAt ?? last.begunAt),
    processes,
    memory: bytes,
    cpu: cpuMs / 1000,
    connections,
  };
};
