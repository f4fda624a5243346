// The state as plain JSON, for the journal and tests, and back.
import type { State } from "./state.ts";
import type { Worker, WorkerId } from "./worker.ts";
import { allWorkers, NO_WORKERS, withWorker } from "./workers.ts";

export type PlainState = Omit<State, "workers"> & { readonly workers: Readonly<Record<WorkerId, Worker>> };

/** The state from its plain form. */
export const stateOf = (plain: PlainState): State => {
  let workers = NO_WORKERS;
  const owner = {};
  for (const worker of Object.values(plain.workers))
    workers = withWorker(workers, worker, plain.generations[worker.generation]?.spec, owner);
  return { ...plain, workers };
};

/** The plain form: only what cannot be derived from the rest. */
export const plainOf = (state: State): PlainState => ({
  ...state,
  workers: Object.fromEntries(allWorkers(state.workers).map((worker) => [worker.id, worker])),
});
