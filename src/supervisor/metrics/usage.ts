// The resource usage of one worker, from the last measurement.
import type { Usage } from "../../control/messages.ts";
import { wallTime } from "../state/facts.ts";
import type { Memory } from "../state/store.ts";

/** The usage of a worker when it was last measured. */
export const usageOf = (memory: Memory, worker: number): Usage | null => {
  const { last } = memory.measurements;
  const usage = last && memory.measurements.worker(worker);
  if (!last || !usage) return null;
  const { processes, memory: bytes, cpuMs, connections } = usage;
  return {
    at: wallTime(memory.facts, last.endedAt ?? last.begunAt),
    processes,
    memory: bytes,
    cpu: cpuMs / 1000,
    connections,
  };
};
