// A worker has a process, or another one: in every state.
import { type Draft, putWorker, recordEvent } from "../model/draft.ts";
import type { Moved, Spawned } from "../model/events.ts";
import type { Worker } from "../model/worker.ts";

export const noteSpawned = (draft: Draft, worker: Worker, { pid, startTime }: Spawned): void => {
  if (worker.pid !== null) return;
  putWorker(draft, { ...worker, pid, startTime });
  recordEvent(draft, { kind: "workerStarted", worker: worker.id, generation: worker.generation, pid });
};

/** Another process is the worker's main process now. Everything else about the worker stays. */
export const move = (draft: Draft, worker: Worker, { pid, startTime }: Moved): void => {
  const { id, generation, pid: before } = worker;
  if (pid === before && startTime === worker.startTime) return;
  putWorker(draft, { ...worker, pid, startTime });
  recordEvent(draft, { kind: "workerMoved", worker: id, generation, before: before ?? 0, pid });
};
