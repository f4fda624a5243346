// How a worker stands in its pool: what counts of it, and when it wants to be looked at. Questions about one worker only.
import type { Eviction, Worker } from "./worker.ts";

/**
 * What a worker counts as: a place in what is kept for each. `starting`, `stopping`: as in its state; `draining`: stopping, and
 * has been ready. Of those that are ready: `unproven` is not available yet; `available` is; `outgoing` is evicted and serves
 * until another has come for it, `outgoingEarly` too, but was not available; `broken` is evicted and does not serve.
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

/** What a worker counts as. */
export const standingOf = (worker: Worker): Standing => {
  if (worker.kind === "starting") return STANDING.starting;
  if (worker.kind === "stopping") return worker.wasReady ? STANDING.draining : STANDING.stopping;
  const { availableAt, dismissal } = worker;
  if (dismissal === undefined) return availableAt === null ? STANDING.available : STANDING.unproven;
  if (!serves(dismissal)) return STANDING.broken;
  return availableAt === null ? STANDING.outgoing : STANDING.outgoingEarly;
};

/** Whether one that goes for this reason serves as before until its successor is available. */
export const serves = ({ kind }: Eviction): boolean => kind !== "notAlive" && kind !== "watchdog";

/** Whether a worker counts as available: ready for long enough, and not evicted for being dead. */
export const isAvailable = (worker: Worker): boolean =>
  worker.kind === "ready" &&
  worker.availableAt === null &&
  (worker.dismissal === undefined || serves(worker.dismissal));

/** Whether a worker is evicted and has not been told to go yet. */
export const isEvicted = (worker: Worker): boolean => worker.kind === "ready" && worker.dismissal !== undefined;

/** Whether a worker is to go because it does not serve. */
export const isBroken = (worker: Worker): boolean =>
  worker.kind === "ready" && worker.dismissal !== undefined && !serves(worker.dismissal);

/** Whether it was started in the place of one that was evicted, and is not available yet. */
export const isIncoming = (worker: Worker): boolean =>
  worker.replacement === true &&
  (worker.kind === "starting" || (worker.kind === "ready" && worker.availableAt !== null));

/** The worker's own next deadline, CLOCK_MONOTONIC ms; null: it waits for none. */
export const dueAt = (worker: Worker): number | null => {
  if (worker.kind === "stopping") return worker.stepAt;
  const own = worker.kind === "starting" ? worker.readyBy : worker.availableAt;
  const probeAt = worker.probing?.nextAt ?? null;
  if (probeAt === null) return own;
  return own === null ? probeAt : Math.min(own, probeAt);
};
