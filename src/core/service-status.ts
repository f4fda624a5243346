// What the service manager shows of the service: its state in one line, and how long the current phase may still take.
// Reads only the core's state.

import type { Spec, StopStep } from "./model/spec.ts";
import { STANDING } from "./model/standing.ts";
import type { Rollout, State } from "./model/state.ts";
import type { Worker } from "./model/worker.ts";
import { allWorkers, countOf, countReady, countWorkers } from "./model/workers.ts";
import { isInFlight } from "./pool/rollout.ts";

/** One line for `systemctl status`: what runs, the rollout in flight, the last failure. */
export const statusLine = (state: State, lastFailure: string | null): string => {
  const parts = [present(state)];
  const { rollout, phase } = state.service;
  if (rollout && phase.kind === "running") parts.push(onItsWay(state, rollout));
  if (lastFailure !== null) parts.push(`last failure: ${lastFailure}`);
  return parts.join("; ");
};

const present = (state: State): string => {
  const { phase, current, rollout } = state.service;
  const all = countWorkers(state.workers);
  if (phase.kind === "stopping") return all === 0 ? "Shut down" : `Shutting down, ${count(all)} left`;
  if (current === null) return rollout ? "Starting" : "Waiting for a first deploy (crankctl run)";
  const ready = countReady(state.workers, current);
  const draining = countOf(state.workers, STANDING.draining) + countOf(state.workers, STANDING.stopping);
  const wanted = state.generations[current]?.instances ?? 0;
  return `Generation ${current}: ${ready} of ${count(wanted)} ready${draining > 0 ? `, ${draining} draining` : ""}`;
};

const onItsWay = (state: State, { generation, rollingBack, waiting }: Rollout): string => {
  if (rollingBack) return `going back from generation ${generation}`;
  const ready = countReady(state.workers, generation);
  const why = waiting === undefined ? "" : WAITING[waiting.kind];
  return `rolling out generation ${generation}, ${ready} of ${state.generations[generation]?.instances ?? 0} ready${why}`;
};

const WAITING = { pause: ", pausing", draining: ", waiting for a drain to end" } as const;

const count = (workers: number): string => `${workers} worker${workers === 1 ? "" : "s"}`;

/** A year stands for no limit, because a message to systemd cannot give an infinite timeout. */
const UNLIMITED_MS = 365 * 24 * 3600 * 1000;

/**
 * Until when (CLOCK_MONOTONIC ms) the start, reload or shutdown in progress may take by the limits of the specs; null
 * when none is in progress. Derived from the state alone, so it changes only when the service does.
 */
export const phaseMayLastUntil = (state: State): number | null => {
  const { phase, rollout, nextStartAt, pausedUntil } = state.service;
  const workers = allWorkers(state.workers);
  if (phase.kind === "stopping") {
    const ends = workers.map((worker) => goneBy(state, worker, phase.steps));
    return ends.length === 0 ? null : Math.max(...ends);
  }
  const spec = rollout && state.generations[rollout.generation]?.spec;
  if (!spec || !isInFlight(state.service)) return null;
  // A rollout is a sequence of steps. Each may take as long as a start, counted from the last thing that happened.
  const steps = workers.flatMap((worker) => {
    if (worker.generation === rollout.generation) return worker.kind === "ready" ? worker.readyAt : worker.startedAt;
    const isWaitedFor = spec.surge === 0 || rollout.waiting?.kind === "draining";
    return isWaitedFor && worker.kind === "stopping" ? goneBy(state, worker, null) : [];
  });
  return Math.max(rollout.startedAt, nextStartAt, pausedUntil ?? 0, ...steps) + readyWithin(spec) + 2 * spec.minReadyMs;
};

const readyWithin = ({ readiness, startTimeoutMs }: Spec): number =>
  readiness.kind === "delay" ? readiness.afterMs : (startTimeoutMs ?? UNLIMITED_MS);

const goneBy = (state: State, worker: Worker, instead: readonly StopStep[] | null): number => {
  const last = (instead ?? state.generations[worker.generation]?.spec.stopSteps)?.at(-1);
  const since = worker.kind === "stopping" ? worker.stoppingAt : worker.startedAt;
  return since + (last?.signal === "SIGKILL" ? last.afterMs : UNLIMITED_MS);
};
