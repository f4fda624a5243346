// Reconciliation: runs at the end of every step.

import { type Draft, pruneGenerations, recordEvent } from "./model/draft.ts";
import { limitPendingReplacements, poolOf } from "./pool/eviction.ts";
import { startsWanted, takeCensus, wantedGeneration } from "./pool/pool.ts";
import { advanceRollout, startMissing, stopOthers } from "./pool/rollout.ts";
import { beginShutdown, endIfNothingRuns, finishShutdown } from "./shutdown.ts";
import { respawns } from "./worker/backoff.ts";

/** Does what is to be done next, by the rollout's rules, between rollouts, or on the way down. */
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
    // Crank's own start has failed, and nothing ran before: the machine's supervisor is told by the exit status.
    const { current, rollout: left, manner } = draft.service;
    if (left !== null || current !== null || rollout.origin !== "crank") return;
    // A program that cannot be started at all is no failure of its own.
    const status = rollout.rollingBack?.failure.kind === "spawn" ? 1 : manner.failureStatus;
    beginShutdown(draft, status, { request: null, steps: null });
  } else replaceLost(draft);
};

/** Between rollouts, those that were evicted are replaced, and with respawn on the workers that are missing are started again. */
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
