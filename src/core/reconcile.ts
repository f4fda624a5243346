// What follows from the state as it is now, whatever has just happened: the end of every step.

import { note, pruneGenerations, type Turn } from "./model/draft.ts";
import { limitOwed, poolOf } from "./pool/eviction.ts";
import { startsWanted, takeCensus, wantedGeneration } from "./pool/pool.ts";
import { advanceRollout, startMissing, stopOthers } from "./pool/rollout.ts";
import { beginShutdown, endIfNothingRuns, finishShutdown } from "./shutdown.ts";
import { respawns } from "./worker/backoff.ts";

/** Does what is to be done next, by the rollout's rules, between rollouts, or on the way down. */
export const settle = (turn: Turn): void => {
  if (turn.service.phase.kind === "running") settlePool(turn);
  if (turn.service.phase.kind === "running") endIfNothingRuns(turn);
  finishShutdown(turn);
  pruneGenerations(turn);
};

const settlePool = (turn: Turn): void => {
  const { rollout } = turn.service;
  if (rollout) {
    advanceRollout(turn);
    // Crank's own start has failed, and nothing ran before: the machine's supervisor is told by the exit status.
    const { current, rollout: left, manner } = turn.service;
    if (left !== null || current !== null || rollout.origin !== "crank") return;
    // A program that cannot be started at all is no failure of its own.
    const status = rollout.rollingBack?.failure.kind === "spawn" ? 1 : manner.failureStatus;
    beginShutdown(turn, status, { request: null, steps: null });
  } else replaceLost(turn);
};

/** Between rollouts, those that were dismissed are replaced, and with respawn on the workers that are missing are started again. */
const replaceLost = (turn: Turn): void => {
  const generation = wantedGeneration(turn);
  limitOwed(turn, generation);
  if (!generation) return;
  const census = takeCensus(turn, generation);
  const isIdle = !respawns(turn.service, generation) && turn.service.owed === 0;
  if (isIdle && census.dismissed === 0) return;
  const wanted = poolOf(turn.service, generation, census.wantedAlive);
  stopOthers(turn, wanted, census);
  startMissing(turn, wanted, census);
  const { nextStartAt } = turn.service;
  const isNews = nextStartAt !== turn.before.service.nextStartAt;
  if (isNews && nextStartAt > turn.now && startsWanted(turn, wanted, census) > 0)
    note(turn, { kind: "respawnScheduled", inMs: nextStartAt - turn.now });
};
