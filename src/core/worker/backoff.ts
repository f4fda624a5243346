// Whether and when a worker that died is started again: at once if it had lived for a while, later and later if it keeps dying.

import { changeService, type Draft } from "../model/draft.ts";
import type { Generation, Service } from "../model/state.ts";
import type { Worker } from "../model/worker.ts";

const MAX_DELAY_MS = 30_000;
const GROWTH = 1.5;
/** Where starts may follow at once, those after a failure grow from this. */
const LEAST_BASE_MS = 100;
/** For starts that a rollback needs where nothing is respawned otherwise. */
const DEFAULT_BASE_MS = 1000;

/** Whether workers of this generation that die between rollouts are started again. */
export const respawns = (
  { respawn }: Pick<Service, "respawn">,
  wanted: Pick<Generation, "instances"> | null,
): boolean => respawn !== null && (respawn.pools !== true || (wanted?.instances ?? 0) > 1);

/**
 * How long after one start the next may follow, in ms. Grows by half with each death before available, to 30 s; a base of 0
 * is for the first of them only.
 */
export const startDelay = (baseMs: number, deaths: number): number => {
  const base = deaths > 0 ? Math.max(baseMs, LEAST_BASE_MS) : baseMs;
  return Math.min(base * GROWTH ** deaths, MAX_DELAY_MS);
};

/** How long after a deploy that crank itself tries the next one may follow, when `failures` have failed. */
export const retryDelay = (failures: number): number => startDelay(DEFAULT_BASE_MS, failures);

/**
 * Counts a death. The delay runs from the dead worker's start, so one that had lived for longer is replaced at once.
 * `before available` deaths make the next delay longer, until a worker is available.
 */
export const countDeath = (draft: Draft, worker: Worker, when: "before available" | "after available"): void => {
  const { respawn, nextStartAt } = draft.service;
  const deaths = draft.service.deaths + (when === "before available" ? 1 : 0);
  const delay = startDelay(respawn?.baseMs ?? DEFAULT_BASE_MS, deaths);
  changeService(draft, { deaths, nextStartAt: Math.max(nextStartAt, worker.startedAt + delay) });
};

/** Something was started: where starts have a pace, the next one waits. */
export const keepPace = (draft: Draft): void => {
  const { manner, respawn, deaths } = draft.service;
  if (manner.pace === null) return;
  changeService(draft, { nextStartAt: draft.now + startDelay(respawn?.baseMs ?? DEFAULT_BASE_MS, deaths) });
};

/** A worker is available: the next death counts as the first. */
export const forgetDeaths = (draft: Draft): void => {
  if (draft.service.deaths > 0) changeService(draft, { deaths: 0 });
};

/** Whoever deploys does not wait for the sins of what ran before. */
export const forgetBackoff = (draft: Draft): void => {
  const { deaths, nextStartAt } = draft.service;
  if (deaths > 0 || nextStartAt > 0) changeService(draft, { deaths: 0, nextStartAt: 0 });
};
