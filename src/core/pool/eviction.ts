// Eviction: crank takes a running worker away and starts another of its generation in its place, with or without
// respawn. The rules of a rollout apply: to them, an evicted worker is one of the workers to replace.

import { type Draft, ownService, putWorker, recordEvent } from "../model/draft.ts";
import { serves } from "../model/standing.ts";
import type { Generation, Service, State } from "../model/state.ts";
import type { Eviction, Worker } from "../model/worker.ts";
import { countEvicted, countIncoming } from "../model/workers.ts";
import { countDeath, respawns } from "../worker/backoff.ts";
import { identityOf } from "../worker/stopping.ts";
import { takeCensus } from "./pool.ts";

type Ready = Extract<Worker, { kind: "ready" }>;
type View = Pick<State, "service" | "workers">;

/**
 * Marks a ready worker for replacement. Repeated, it only counts if the worker served until now and does not any more.
 */
export const evict = (draft: Draft, worker: Ready, reason: Eviction): void => {
  const { dismissal: before } = worker;
  if (before !== undefined && (serves(reason) || !serves(before))) return;
  const { readyAt, availableAt, probing } = worker;
  const asked = serves(reason) && probing !== undefined ? { probing } : {};
  putWorker(draft, { ...identityOf(worker), kind: "ready", readyAt, availableAt, ...asked, dismissal: reason });
  if (before === undefined) ownService(draft).owed = draft.service.owed + 1;
  // A worker that keeps failing is restarted no faster than one that keeps exiting.
  if (!serves(reason)) countDeath(draft, worker, availableAt === null ? "after available" : "before available");
  recordEvent(draft, {
    kind: "workerDismissed",
    worker: worker.id,
    generation: worker.generation,
    pid: worker.pid ?? 0,
    reason,
  });
};

/** Whether an evicted worker is not stopping yet, or its successor is not started or not available yet. */
export const isReplacing = ({ service, workers }: View): boolean =>
  service.owed > 0 || countIncoming(workers) > 0 || countEvicted(workers) > 0;

/**
 * A replacement ended before it was available: outside a rollout, which counts for itself, its slot is owed again.
 * Returns whether it is.
 */
export const replaceAgain = (draft: Draft, worker: Worker): boolean => {
  const { rollout, current, owed } = draft.service;
  const isCounted = rollout !== null && rollout.rollingBack === null;
  if (worker.replacement !== true || isCounted || worker.generation !== current) return false;
  ownService(draft).owed = owed + 1;
  return true;
};

/** Uses an owed slot for a worker that is started now. Returns whether there was one. */
export const takeSlot = (draft: Draft): boolean => {
  const { owed } = draft.service;
  if (owed === 0) return false;
  ownService(draft).owed = owed - 1;
  return true;
};

/** Limits the owed slots to the free ones: after a scale-down or a rollout the pool needs fewer. */
export const limitPendingReplacements = (draft: Draft, wanted: Generation | null): void => {
  const { owed } = draft.service;
  if (owed === 0) return;
  const most = wanted === null ? 0 : Math.max(0, wanted.instances - takeCensus(draft, wanted).wantedAlive);
  if (owed > most) ownService(draft).owed = most;
};

/** Without respawn, the pool is the living workers and the owed slots: workers that exited are not replaced. */
export const poolOf = (service: Service, wanted: Generation, wantedAlive: number): Generation => {
  if (respawns(service, wanted) || service.rollout !== null) return wanted;
  return { ...wanted, instances: Math.min(wanted.instances, wantedAlive + service.owed) };
};
