// Evicting a worker: crank itself takes a running one away and puts another of its generation in its place, whether
// workers are respawned or not. How it is replaced follows from the rollout's rules: for them a evicted worker is one of
// those that are to go.

import { changeService, type Draft, putWorker, recordEvent } from "../model/draft.ts";
import { serves } from "../model/standing.ts";
import type { Generation, Service, State } from "../model/state.ts";
import type { Eviction, Worker } from "../model/worker.ts";
import { countEvicted, countIncoming } from "../model/workers.ts";
import { countDeath, respawns } from "../worker/backoff.ts";
import { identityOf } from "../worker/stopping.ts";
import { takeCensus } from "./pool.ts";

type Ready = Extract<Worker, { kind: "ready" }>;
type View = Pick<State, "service" | "workers">;

/** Takes a ready worker away as soon as another one may take its place. One that is evicted already stays so, but may not serve any more. */
export const evict = (draft: Draft, worker: Ready, reason: Eviction): void => {
  const { dismissal: before } = worker;
  if (before !== undefined && (serves(reason) || !serves(before))) return;
  const { readyAt, availableAt, probing } = worker;
  const asked = serves(reason) && probing !== undefined ? { probing } : {};
  putWorker(draft, { ...identityOf(worker), kind: "ready", readyAt, availableAt, ...asked, dismissal: reason });
  if (before === undefined) changeService(draft, { owed: draft.service.owed + 1 });
  // One that keeps failing is restarted no faster than one that keeps dying.
  if (!serves(reason)) countDeath(draft, worker, availableAt === null ? "after available" : "before available");
  recordEvent(draft, {
    kind: "workerDismissed",
    worker: worker.id,
    generation: worker.generation,
    pid: worker.pid ?? 0,
    reason,
  });
};

/** Whether somebody is being replaced: evicted and still there, or followed by one that is not started or not available yet. */
export const isReplacing = ({ service, workers }: View): boolean =>
  service.owed > 0 || countIncoming(workers) > 0 || countEvicted(workers) > 0;

/** A successor that ended before it was available: outside of rollouts, which count for themselves, its place is owed again. Returns whether it is. */
export const replaceAgain = (draft: Draft, worker: Worker): boolean => {
  const { rollout, current, owed } = draft.service;
  const isCounted = rollout !== null && rollout.rollingBack === null;
  if (worker.replacement !== true || isCounted || worker.generation !== current) return false;
  changeService(draft, { owed: owed + 1 });
  return true;
};

/** Something was started: it takes the place of who was evicted first. Returns whether there was such a place. */
export const takeSlot = (draft: Draft): boolean => {
  const { owed } = draft.service;
  if (owed === 0) return false;
  changeService(draft, { owed: owed - 1 });
  return true;
};

/** No more places are owed than are free: scaled down, or brought to its number by a rollout, a pool needs fewer. */
export const limitPendingReplacements = (draft: Draft, wanted: Generation | null): void => {
  const { owed } = draft.service;
  if (owed === 0) return;
  const most = wanted === null ? 0 : Math.max(0, wanted.instances - takeCensus(draft, wanted).wantedAlive);
  if (owed > most) changeService(draft, { owed: most });
};

/** A pool that nobody respawns is as large as what is left of it and what is owed: the dead are not missed. */
export const poolOf = (service: Service, wanted: Generation, wantedAlive: number): Generation => {
  if (respawns(service, wanted) || service.rollout !== null) return wanted;
  return { ...wanted, instances: Math.min(wanted.instances, wantedAlive + service.owed) };
};
