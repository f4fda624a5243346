// A worker's standing in its pool: what it counts as, and when it is due. Questions about one worker only.
import type { Eviction, Worker } from "./worker.ts";

/**
 * What a worker counts as; the numbers are indexes of what is kept for each standing. `starting`: as its state.
 * `draining`: stopping, and was ready; `stopping`: stopping, and never was ready. Of ready workers: `unproven` is not
 * available yet; `available` is; `outgoing` is evicted and serves until its successor is available; `outgoingEarly`
 * too, but was not available; `broken` is evicted and does not serve.
 */
export const STANDING = {
  starting: 0,
  unproven: 1,
  available: 2,
  outgoing: 3,
  outgoingEarly: 4,
  broken: 5,
  draining: 6,
  stopping: 7,
} as const;
export type Standing = (typeof STANDING)[keyof typeof STANDING];

export const standingOf = (worker: Worker): Standing => {
  if (worker.kind === "starting") return STANDING.starting;
  if (worker.kind === "stopping") return worker.wasReady ? STANDING.draining : STANDING.stopping;
  const { availableAt, dismissal } = worker;
  if (dismissal === undefined) return availableAt === null ? STANDING.available : STANDING.unproven;
  if (!serves(dismissal)) return STANDING.broken;
  return availableAt === null ? STANDING.outgoing : STANDING.outgoingEarly;
};

/** Whether a worker that is evicted for this reason serves until its successor is available. */
export const serves = ({ kind }: Eviction): boolean => kind !== "notAlive" && kind !== "watchdog";

/** Whether a worker counts as available: ready for long enough, and not evicted because it does not serve. */
export const isAvailable = (worker: Worker): boolean =>
  worker.kind === "ready" &&
  worker.availableAt === null &&
  (worker.dismissal === undefined || serves(worker.dismissal));

/** Whether a worker is evicted and not stopping yet. */
export const isEvicted = (worker: Worker): boolean => worker.kind === "ready" && worker.dismissal !== undefined;

/** Whether a worker is evicted because it does not serve. */
export const isBroken = (worker: Worker): boolean =>
  worker.kind === "ready" && worker.dismissal !== undefined && !serves(worker.dismissal);

/** Whether it replaces an evicted worker and is not available yet. */
export const isIncoming = (worker: Worker): boolean =>
  worker.replacement === true &&
  (worker.kind === "starting" || (worker.kind === "ready" && worker.availableAt !== null));

/** The worker's next deadline, CLOCK_MONOTONIC ms; null: it has none. */
export const dueAt = (worker: Worker): number | null => {
  if (worker.kind === "stopping") return worker.stepAt;
  const own = worker.kind === "starting" ? worker.readyBy : worker.availableAt;
  const probeAt = worker.probing?.nextAt ?? null;
  if (probeAt === null) return own;
  return own === null ? probeAt : Math.min(own, probeAt);
};
