// The life of a worker in one table: its states, and how each handles every event. What follows for the pool is decided
// afterwards, in reconcile.ts.

import { failByMain, failSpawn } from "./life/failures.ts";
import { takeProbe, takeReady } from "./life/readiness.ts";
import { loseMain, loseReady, readyIsDue, takeEviction, takeLeaving, takeLiveness } from "./life/ready.ts";
import { move, noteSpawned } from "./life/running.ts";
import { beginLife, extendStart, failStart, startIsDue } from "./life/starting.ts";
import { extendStop, finishStop, leaveRest } from "./life/stopping.ts";
import type { Draft } from "./model/draft.ts";
import type {
  Evict,
  Extended,
  Leaving,
  MainExited,
  Moved,
  Probed,
  Spawned,
  SpawnFailed,
  Tick,
  WorkerExited,
  WorkerReady,
} from "./model/events.ts";
import type { In, Worker, WorkerState } from "./model/worker.ts";
import { dueWorkers, findWorker } from "./model/workers.ts";
import { takeNextStep } from "./worker/stopping.ts";

type Life = {
  spawned: Spawned;
  spawnFailed: SpawnFailed;
  workerReady: WorkerReady;
  probed: Probed;
  workerExited: WorkerExited;
  mainExited: MainExited;
  evict: Evict;
  leaving: Leaving;
  extended: Extended;
  moved: Moved;
  /** A tick when the worker's own deadline has passed. */
  due: Tick;
};
type Table = {
  [S in WorkerState]: { [E in keyof Life]: (draft: Draft, worker: In<S>, event: Life[E]) => void };
};
type Handler = (draft: Draft, worker: Worker, event: Life[keyof Life]) => void;

const nothing = (): void => {};

const LIFE = {
  starting: {
    spawned: beginLife,
    spawnFailed: failSpawn,
    workerReady: takeReady,
    probed: takeProbe,
    workerExited: failStart,
    mainExited: failByMain,
    evict: nothing,
    leaving: nothing,
    extended: extendStart,
    moved: move,
    due: startIsDue,
  },
  ready: {
    spawned: noteSpawned,
    spawnFailed: failSpawn,
    workerReady: nothing,
    probed: takeLiveness,
    workerExited: loseReady,
    mainExited: loseMain,
    evict: takeEviction,
    leaving: takeLeaving,
    extended: nothing,
    moved: move,
    due: readyIsDue,
  },
  stopping: {
    spawned: noteSpawned,
    spawnFailed: (draft, worker) => finishStop(draft, worker, { ending: { kind: "unknown" }, tail: "" }),
    workerReady: nothing,
    probed: nothing,
    workerExited: finishStop,
    mainExited: leaveRest,
    evict: nothing,
    leaving: nothing,
    extended: extendStop,
    moved: move,
    due: takeNextStep,
  },
} satisfies Table;

/** Passes an event to its worker. Ignored if the worker is unknown. */
export const dispatchToWorker = (draft: Draft, event: Life[Exclude<keyof Life, "due">]): void => {
  const worker = findWorker(draft.workers, event.worker);
  // The row is the worker's state and the column the event's kind, so the handler is the one for both.
  if (worker) (LIFE[worker.kind][event.kind] as Handler)(draft, worker, event);
};

/** Handles the deadlines of workers that have passed. */
export const dispatchToDueWorkers = (draft: Draft, event: Tick): void => {
  // As in dispatchToWorker.
  for (const worker of dueWorkers(draft.workers, draft.now)) (LIFE[worker.kind].due as Handler)(draft, worker, event);
};
