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
  const { service } = state;
  const { rollout } = service;
  let earliest = workersDueAt(state.workers);
  if (rollout !== null && rollout.deadlineAt !== null && rollout.deadlineAt < earliest && deadlineCounts(service))
    earliest = rollout.deadlineAt;
  earliest = earlier(earliest, reloadDueAt(service));
  earliest = earlier(earliest, nextStart(state));
  earliest = earlier(earliest, pauseDueAt(service));
  earliest = earlier(earliest, recyclingDueAt(state));
  earliest = earlier(earliest, recordDueAt(service));
  return earliest === Number.POSITIVE_INFINITY ? null : earliest;
};

/** Without Math.min, which takes as long as the rest on this engine. */
const earlier = (earliest: number, dueAt: number | null): number =>
  dueAt !== null && dueAt < earliest ? dueAt : earliest;

/** When missing workers may be started; null if none are missing or there is no start delay. */
const nextStart = (state: State): number | null => {
  // The common case, so checked first: between rollouts, without respawn, only evicted workers are missing.
  const { rollout, respawn, owed, nextStartAt } = state.service;
  const isStarting = rollout !== null || respawn !== null || owed > 0;
  // Without a start delay, reconciliation has started every worker that it could.
  if (!isStarting || nextStartAt === 0) return null;
  const wanted = wantedGeneration(state);
  if (!wanted) return null;
  const census = takeCensus(state, wanted);
  const isMissing = startsWanted(state, poolOf(state.service, wanted, census.wantedAlive), census) > 0;
  return isMissing ? nextStartAt : null;
};
