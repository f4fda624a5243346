// Whether a process may be taken for a worker's main one (MAINPID= of sd_notify(3)): it has to be one of the worker's own.
import type { Worker } from "../core/state.ts";
import type { Memory } from "./memory.ts";

/** How far up its ancestors are followed. */
const MAX_GENERATIONS = 64;

/** The process as it can be watched; or why it cannot be taken, as part of a sentence. */
export const mainProcess = async (
  memory: Memory,
  worker: Worker,
  pid: number,
): Promise<{ readonly startTime: number } | string> => {
  const processes = await memory.platform.processes();
  const facts = processes.facts(pid);
  if (!facts) return "there is no such process";
  const others = new Set(Object.values(memory.core.workers).map((other) => other.pid));
  if (others.has(pid) || pid === memory.facts.pid) return "it is another one's";
  const environment = processes.environment(pid);
  for (let at = facts, step = 0; step < MAX_GENERATIONS; step++) {
    if (at.pid === worker.pid || at.parent === worker.pid) return facts;
    // Whose parent has ended is the keeper's child, or init's where the worker was adopted: then its environment shows whose it is.
    if (at.parent === memory.facts.pid || at.parent <= 1)
      return environment?.get("CRANK_WORKER") === String(worker.id) ? facts : "it does not descend from the worker";
    const parent = processes.facts(at.parent);
    if (!parent || others.has(at.parent)) return "it does not descend from the worker";
    at = parent;
  }
  return "it does not descend from the worker";
};
