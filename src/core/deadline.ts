// The next tick: the earliest of all deadlines in the core's state.

import type { State } from "./model/state.ts";
import { workersDueAt } from "./model/workers.ts";
import { poolOf } from "./pool/eviction.ts";
import { pauseDueAt } from "./pool/pacing.ts";
import { startsWanted, takeCensus, wantedGeneration } from "./pool/pool.ts";
import { recyclingDueAt } from "./pool/recycling.ts";
import { reloadDueAt } from "./pool/reload.ts";
import { deadlineCounts } from "./pool/rollout.ts";
import { recordDueAt } from "./recording.ts";

/** When the next tick is due, CLOCK_MONOTONIC ms; null if there is no deadline. A time in the past means at once. */
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

/** When missing workers may be started; infinite if none are missing or there is no start delay. */
const nextStart = (state: State): number => {
  // The common case, so checked first: between rollouts, without respawn, only evicted workers are missing.
  const { rollout, respawn, owed, nextStartAt } = state.service;
  const isStarting = rollout !== null || respawn !== null || owed > 0;
  // Without a start delay, reconciliation has started every worker that it could.
  if (!isStarting || nextStartAt === 0) return Number.POSITIVE_INFINITY;
  const wanted = wantedGeneration(state);
  if (!wanted) return Number.POSITIVE_INFINITY;
  const census = takeCensus(state, wanted);
  const isMissing = startsWanted(state, poolOf(state.service, wanted, census.wantedAlive), census) > 0;
  return isMissing ? nextStartAt : Number.POSITIVE_INFINITY;
};
