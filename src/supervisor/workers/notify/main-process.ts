// Whether a process can become a worker's main process (MAINPID= of sd_notify(3)): it has to belong to the worker.
import type { Worker } from "../../../core/model/worker.ts";
import { allWorkers } from "../../../core/model/workers.ts";
import type { ProcessRef } from "../../os/processes.ts";
import type { Store } from "../../state/store.ts";
import { whyNotItsOwn } from "./ownership.ts";

/** The process, to be watched; or why it is refused, as part of a sentence. */
export const mainProcess = async (store: Store, worker: Worker, pid: number): Promise<ProcessRef | string> => {
  const processes = store.platform.processes;
  const facts = processes.facts(pid);
  if (!facts) return "no such process";
  const others = new Set(allWorkers(store.core.workers).map((other) => other.pid));
  if (others.has(pid) || pid === store.facts.pid) return "it belongs to another worker or to crank";
  return (await whyNotItsOwn(store, processes, worker, facts)) ?? facts;
};
