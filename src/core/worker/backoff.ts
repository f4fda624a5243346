// Restart backoff: a worker that lived long enough is restarted at once; after repeated failures the delay grows.

import { changeService, type Draft, ownService } from "../model/draft.ts";
import type { Generation, Service } from "../model/state.ts";
import type { Worker } from "../model/worker.ts";

const MAX_DELAY_MS = 30_000;
const GROWTH = 1.5;
/** If the base is 0, the delays after a failure grow from this. */
const LEAST_BASE_MS = 100;
/** For the starts of a rollback without respawn. */
const DEFAULT_BASE_MS = 1000;

/** Whether workers of this generation that exit between rollouts are restarted. */
export const respawns = (
  { respawn }: Pick<Service, "respawn">,
  wanted: Pick<Generation, "instances"> | null,
): boolean => respawn !== null && (respawn.pools !== true || (wanted?.instances ?? 0) > 1);

/**
 * How long after one start the next may follow, in ms. Grows by half with each death before available, up to 30 s. A
 * base of 0 applies only without such deaths.
 */
export const startDelay = (baseMs: number, deaths: number): number => {
  const base = deaths > 0 ? Math.max(baseMs, LEAST_BASE_MS) : baseMs;
  return Math.min(base * GROWTH ** deaths, MAX_DELAY_MS);
};

/** How long after a failed deploy of its own crank retries, after `failures` failures. */
export const retryDelay = (failures: number): number => startDelay(DEFAULT_BASE_MS, failures);

/**
 * Counts a death. The delay runs from the dead worker's start, so a worker that lived longer is replaced at once.
 * Deaths `before available` make the next delay longer, until a worker is available.
 */
export const countDeath = (draft: Draft, worker: Worker, when: "before available" | "after available"): void => {
  const { respawn, nextStartAt } = draft.service;
  const deaths = draft.service.deaths + (when === "before available" ? 1 : 0);
  const delay = startDelay(respawn?.baseMs ?? DEFAULT_BASE_MS, deaths);
  changeService(draft, { deaths, nextStartAt: Math.max(nextStartAt, worker.startedAt + delay) });
};

/** With a pace, delays the start that follows this one. */
export const keepPace = (draft: Draft): void => {
  const { manner, respawn, deaths } = draft.service;
  if (manner.pace === null) return;
  changeService(draft, { nextStartAt: draft.now + startDelay(respawn?.baseMs ?? DEFAULT_BASE_MS, deaths) });
};

/** A worker is available: the next death counts as the first. */
export const forgetDeaths = (draft: Draft): void => {
  if (draft.service.deaths > 0) ownService(draft).deaths = 0;
};

/** A new deploy or a rollback resets the backoff. */
export const forgetBackoff = (draft: Draft): void => {
  const { deaths, nextStartAt } = draft.service;
  if (deaths > 0 || nextStartAt > 0) changeService(draft, { deaths: 0, nextStartAt: 0 });
};
