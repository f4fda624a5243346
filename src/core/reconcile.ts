// Reconciliation: runs at the end of every step.

import { type Draft, pruneGenerations, recordEvent } from "./model/draft.ts";
import { limitPendingReplacements, poolOf } from "./pool/eviction.ts";
import { startsWanted, takeCensus, wantedGeneration } from "./pool/pool.ts";
import { advanceRollout, startMissing, stopOthers } from "./pool/rollout.ts";
import { beginShutdown, endIfNothingRuns, finishShutdown } from "./shutdown.ts";
import { respawns } from "./worker/backoff.ts";

/** Applies the rules of a rollout, of the pool between rollouts, or of a shutdown. */
export const reconcile = (draft: Draft): void => {
  if (draft.service.phase.kind === "running") reconcilePool(draft);
  if (draft.service.phase.kind === "running") endIfNothingRuns(draft);
  finishShutdown(draft);
  pruneGenerations(draft);
};

const reconcilePool = (draft: Draft): void => {
  const { rollout } = draft.service;
  if (rollout) {
    advanceRollout(draft);
    // Crank's own first deploy has failed and nothing ran before: exit, so that the service manager sees the status.
    const { current, rollout: stillRollingOut, manner } = draft.service;
    if (stillRollingOut !== null || current !== null || rollout.origin !== "crank") return;
    // A program that could not be started at all has not failed itself, so `failureStatus` does not apply.
    const status = rollout.rollingBack?.failure.kind === "spawn" ? 1 : manner.failureStatus;
    beginShutdown(draft, status, { request: null, steps: null });
  } else replaceLost(draft);
};

/** Between rollouts: replaces evicted workers and, with respawn, starts missing ones. */
const replaceLost = (draft: Draft): void => {
  const generation = wantedGeneration(draft);
  limitPendingReplacements(draft, generation);
  if (!generation) return;
  const census = takeCensus(draft, generation);
  const isIdle = !respawns(draft.service, generation) && draft.service.owed === 0;
  if (isIdle && census.evicted === 0) return;
  const wanted = poolOf(draft.service, generation, census.wantedAlive);
  stopOthers(draft, wanted, census);
  startMissing(draft, wanted, census);
  const { nextStartAt } = draft.service;
  const isNews = nextStartAt !== draft.before.service.nextStartAt;
  if (isNews && nextStartAt > draft.now && startsWanted(draft, wanted, census) > 0)
    recordEvent(draft, { kind: "respawnScheduled", inMs: nextStartAt - draft.now });
};
