// A worker that starts: from its process to its readiness, or to the end of its time.

import { type Draft, putWorker, removeWorker, specOf } from "../model/draft.ts";
import type { Extended, Spawned, Tick, WorkerExited } from "../model/events.ts";
import type { Failure, In, SocketFinding } from "../model/worker.ts";
import { findWorker } from "../model/workers.ts";
import { beginProbe, probeFor } from "../worker/probing.ts";
import { countFailure, noteFailed, noteGone } from "./failures.ts";
import { failByTimeout, judgeReady, readinessDelay } from "./readiness.ts";
import { noteSpawned } from "./running.ts";

export const beginLife = (draft: Draft, worker: In<"starting">, event: Spawned): void => {
  if (worker.pid !== null) return;
  const spec = specOf(draft, worker.generation);
  const delay = readinessDelay(spec);
  // The delay counts from when the process runs, and takes the place of the start timeout.
  noteSpawned(draft, delay === null ? worker : { ...worker, readyBy: draft.now + delay }, event);
  const begun = findWorker(draft.workers, worker.id);
  if (begun?.kind === "starting" && probeFor(spec, begun) !== null) beginProbe(draft, begun);
};

/** The start deadline has passed, or the next probe is due. */
export const startIsDue = (draft: Draft, worker: In<"starting">, event: Tick): void => {
  if (worker.readyBy !== null && worker.readyBy <= draft.now) endStart(draft, worker, event.sockets?.[worker.id]);
  else beginProbe(draft, worker);
};

const endStart = (draft: Draft, worker: In<"starting">, sockets: SocketFinding | undefined): void => {
  const spec = specOf(draft, worker.generation);
  if (worker.pid !== null && readinessDelay(spec) !== null)
    judgeReady(draft, spec, worker, { at: draft.now, sockets }, "delay");
  else failByTimeout(draft, worker, sockets);
};

/** Extends the start timeout, never shortens it. Readiness by delay cannot be extended. */
export const extendStart = (draft: Draft, worker: In<"starting">, { until }: Extended): void => {
  if (worker.readyBy === null || worker.readyBy >= until) return;
  if (readinessDelay(specOf(draft, worker.generation)) === null) putWorker(draft, { ...worker, readyBy: until });
};

export const failStart = (draft: Draft, worker: In<"starting">, { ending, tail }: WorkerExited): void => {
  removeWorker(draft, worker.id);
  const failure: Failure = { kind: "exited", ending, tail };
  noteFailed(draft, worker, failure, countFailure(draft, worker, failure));
  noteGone(draft, worker, ending, false);
};
