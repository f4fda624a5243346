// When the core wants to be woken: the earliest of all deadlines that its state holds.

import type { State } from "./model/state.ts";
import { workersDueAt } from "./model/workers.ts";
import { poolOf } from "./pool/eviction.ts";
import { pauseDueAt } from "./pool/pacing.ts";
import { startsWanted, takeCensus, wantedGeneration } from "./pool/pool.ts";
import { recyclingDueAt } from "./pool/recycling.ts";
import { reloadDueAt } from "./pool/reload.ts";
import { deadlineCounts } from "./pool/rollout.ts";
import { recordDueAt } from "./recording.ts";

/** When the next tick is due, CLOCK_MONOTONIC ms; null if nothing is waited for. A time that has passed means at once. */
export const nextDeadline = (state: State): number | null => {
  let earliest = workersDueAt(state.workers);
  const { rollout } = state.service;
  if (rollout && rollout.deadlineAt !== null && deadlineCounts(state.service))
    earliest = Math.min(earliest, rollout.deadlineAt);
  earliest = Math.min(earliest, reloadDueAt(state.service) ?? earliest, nextStart(state));
  earliest = Math.min(earliest, pauseDueAt(state.service) ?? earliest, recyclingDueAt(state) ?? earliest);
  earliest = Math.min(earliest, recordDueAt(state.service) ?? earliest);
  return earliest === Number.POSITIVE_INFINITY ? null : earliest;
};

/** When workers that are missing may be started. */
const nextStart = (state: State): number => {
  // Asked first, because it is the rule: between rollouts, without respawn, only who was evicted is missing.
  const { rollout, respawn, owed, nextStartAt } = state.service;
  const isStarting = rollout !== null || respawn !== null || owed > 0;
  // A pool that waits for no time has started all that it can.
  if (!isStarting || nextStartAt === 0) return Number.POSITIVE_INFINITY;
  const wanted = wantedGeneration(state);
  if (!wanted) return Number.POSITIVE_INFINITY;
  const census = takeCensus(state, wanted);
  const isMissing = startsWanted(state, poolOf(state.service, wanted, census.wantedAlive), census) > 0;
  return isMissing ? nextStartAt : Number.POSITIVE_INFINITY;
};
