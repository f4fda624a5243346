// Reload: deploys the current spec again. A reload waits for a rollout in flight to end; several that wait are one.

import { type Draft, ownService } from "../model/draft.ts";
import type { Reload } from "../model/events.ts";
import { asGiven } from "../model/spec.ts";
import type { Service } from "../model/state.ts";
import { beginRollout, isInFlight } from "./rollout.ts";

/** Begins a reload, or queues it until the rollout in flight has ended. */
export const reload = (draft: Draft, { now, wallNow }: Reload): void => {
  const { phase, rollout, current, queuedReload } = draft.service;
  if (phase.kind === "stopping" || queuedReload !== null || (rollout === null && current === null)) return;
  ownService(draft).queuedReload = { at: now, wallAt: wallNow };
  takeQueuedReload(draft);
};

/** Drops the queued reload. */
export const cancelReload = (draft: Draft): void => {
  if (draft.service.queuedReload !== null) ownService(draft).queuedReload = null;
};

/** When the queued reload may begin, CLOCK_MONOTONIC ms; null if none is queued or a rollout is in flight. */
export const reloadDueAt = (service: Service): number | null =>
  service.queuedReload === null || isInFlight(service) ? null : service.queuedReload.at;

/** Begins the queued reload unless a rollout is in flight; the end of a rollout is followed by a tick. */
export const takeQueuedReload = (draft: Draft): void => {
  const { queuedReload, current } = draft.service;
  if (queuedReload === null || isInFlight(draft.service)) return;
  ownService(draft).queuedReload = null;
  const running = current === null ? undefined : draft.generations[current];
  if (!running) return;
  // Deploy at least one worker: with the service scaled to 0, a deploy of none would prove nothing.
  const instances = Math.max(1, running.instances);
  const spec = { ...asGiven(running.spec), instances };
  const wallNow = queuedReload.wallAt + (draft.now - queuedReload.at);
  beginRollout(draft, { spec, request: null, now: draft.now, wallNow, order: "oneByOne" });
};
