// How a worker is started: as a number of its own, before anybody knows its pid.
import type { Generation, Worker } from "./state.ts";
import { changeService, emit, note, putWorker, type Turn, takeIndex } from "./turn.ts";

/** Starts one more worker of a generation. */
export const startWorker = (turn: Turn, { number, spec }: Generation): void => {
  const id = turn.service.nextWorker;
  const worker: Worker = {
    id,
    generation: number,
    index: takeIndex(turn),
    pid: null,
    startTime: 0,
    startedAt: turn.now,
    kind: "starting",
    readyBy: spec.startTimeoutMs === null ? null : turn.now + spec.startTimeoutMs,
  };
  changeService(turn, { nextWorker: id + 1 });
  putWorker(turn, worker);
  emit(turn, { kind: "start", worker: id });
  note(turn, { kind: "workerStarting", worker: id, generation: number });
};
