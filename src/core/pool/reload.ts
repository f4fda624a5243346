// Deploying what runs once more. A reload that comes while a rollout is in flight waits for its end; more of them are one.

import { changeService, type Draft } from "../model/draft.ts";
import type { Reload } from "../model/events.ts";
import { asGiven } from "../model/spec.ts";
import type { Service } from "../model/state.ts";
import { beginRollout, isInFlight } from "./rollout.ts";

/** Begins a reload, or remembers that it is wanted when its time comes. */
export const reload = (draft: Draft, { now, wallNow }: Reload): void => {
  const { phase, rollout, current, queuedReload } = draft.service;
  if (phase.kind === "stopping" || queuedReload !== null || (rollout === null && current === null)) return;
  changeService(draft, { queuedReload: { at: now, wallAt: wallNow } });
  takeQueuedReload(draft);
};

/** Forgets the reload that waits. */
export const cancelReload = (draft: Draft): void => {
  if (draft.service.queuedReload !== null) changeService(draft, { queuedReload: null });
};

/** When the reload that waits may begin, CLOCK_MONOTONIC ms: at once when no rollout is in flight any more; null before. */
export const reloadDueAt = (service: Service): number | null =>
  service.queuedReload === null || isInFlight(service) ? null : service.queuedReload.at;

/** Begins the reload that is wanted, unless a rollout is in flight: the end of one is followed by a tick. */
export const takeQueuedReload = (draft: Draft): void => {
  const { queuedReload, current } = draft.service;
  if (queuedReload === null || isInFlight(draft.service)) return;
  changeService(draft, { queuedReload: null });
  const running = current === null ? undefined : draft.generations[current];
  if (!running) return;
  // Scaled to nothing, a deploy of none would prove nothing.
  const instances = Math.max(1, running.instances);
  const spec = { ...asGiven(running.spec), instances };
  const wallNow = queuedReload.wallAt + (draft.now - queuedReload.at);
  beginRollout(draft, { spec, request: null, now: draft.now, wallNow, order: "oneByOne" });
};
