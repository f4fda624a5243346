// Deploying what runs once more. A reload that comes while a rollout is in flight waits for its end; more of them are one.

import { changeService, type Turn } from "../model/draft.ts";
import type { Reload } from "../model/events.ts";
import { asGiven } from "../model/spec.ts";
import type { Service } from "../model/state.ts";
import { beginRollout, isInFlight } from "./rollout.ts";

/** Begins a reload, or takes note that it is wanted when its time comes. */
export const reload = (turn: Turn, { now, wallNow }: Reload): void => {
  const { phase, rollout, current, queuedReload } = turn.service;
  if (phase.kind === "stopping" || queuedReload !== null || (rollout === null && current === null)) return;
  changeService(turn, { queuedReload: { at: now, wallAt: wallNow } });
  takeQueuedReload(turn);
};

/** Forgets the reload that waits. */
export const cancelReload = (turn: Turn): void => {
  if (turn.service.queuedReload !== null) changeService(turn, { queuedReload: null });
};

/** When the reload that waits may begin, CLOCK_MONOTONIC ms: at once when no rollout is in flight any more; null before. */
export const reloadDueAt = (service: Service): number | null =>
  service.queuedReload === null || isInFlight(service) ? null : service.queuedReload.at;

/** Begins the reload that is wanted, unless a rollout is in flight: the end of one is followed by a tick. */
export const takeQueuedReload = (turn: Turn): void => {
  const { queuedReload, current } = turn.service;
  if (queuedReload === null || isInFlight(turn.service)) return;
  changeService(turn, { queuedReload: null });
  const running = current === null ? undefined : turn.generations[current];
  if (!running) return;
  // Scaled to nothing, a deploy of none would prove nothing.
  const instances = Math.max(1, running.instances);
  const spec = { ...asGiven(running.spec), instances };
  const wallNow = queuedReload.wallAt + (turn.now - queuedReload.at);
  beginRollout(turn, { spec, request: null, now: turn.now, wallNow, order: "oneByOne" });
};
