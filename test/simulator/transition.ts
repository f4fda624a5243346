// A step of the core as the invariants see it: the state before, the event, the state after, the effects; and questions
// about it.

import type { Effect } from "../../src/core/model/effects.ts";
import type { CoreEvent } from "../../src/core/model/events.ts";
import { isAvailable, isEvicted, serves } from "../../src/core/model/standing.ts";
import type { Generation, RequestId, State } from "../../src/core/model/state.ts";
import type { Eviction, Worker } from "../../src/core/model/worker.ts";
import { allWorkers, findWorker } from "../../src/core/model/workers.ts";
import { isReplacing } from "../../src/core/pool/eviction.ts";
import { respawns } from "../../src/core/worker/backoff.ts";

export type Transition = {
  readonly before: State;
  readonly event: CoreEvent;
  readonly after: State;
  readonly effects: readonly Effect[];
};

export const availableToldToGo = (transition: Transition): number[] => {
  const { before, event, after } = transition;
  const told: number[] = [];
  for (const worker of allWorkers(before.workers)) {
    const isDue = event.kind === "tick" && worker.kind === "ready" && (worker.availableAt ?? 0) <= event.now;
    const was = isAvailable(worker) || isDue;
    const dismissal = dismissalOf(transition, worker.id);
    const isAlive = dismissal === undefined || serves(dismissal);
    const isOwnDoing = event.kind === "leaving" || event.kind === "mainExited";
    if (was && isAlive && !isOwnDoing && findWorker(after.workers, worker.id)?.kind === "stopping")
      told.push(worker.id);
  }
  return told;
};

export const dismissalOf = ({ after }: Transition, id: number): Eviction | undefined => {
  const worker = findWorker(after.workers, id);
  return worker?.kind === "stopping" ? worker.dismissal : undefined;
};

export const isInRollout = ({ before, after, effects }: Transition): boolean =>
  before.service.rollout !== null ||
  after.service.rollout !== null ||
  effects.some((effect) => effect.kind === "event" && effect.event.kind === "rolloutStarted");

/**
 * The generations that this step wanted: one, or two if the rollout was rolled back in it. Empty in a rollback without
 * a previous generation.
 */
export const actingGenerations = ({ before, event, after, effects }: Transition): Generation[] => {
  const started = effects.some((effect) => effect.kind === "event" && effect.event.kind === "rolloutStarted");
  const turned = effects.some((effect) => effect.kind === "event" && effect.event.kind === "rolloutRolledBack");
  const [first, last] = [started ? null : before.service.rollout, after.service.rollout];
  const replaces = isReplacing(before) || event.kind === "evict";
  if (!first && !last && !started && replaces) return poolAfter(after);
  const numbers = new Set<number | null>();
  if (first && !first.rollingBack) numbers.add(first.generation);
  if (last && !last.rollingBack) numbers.add(last.generation);
  if (first?.rollingBack || last?.rollingBack || (turned && !started) || (started && !last)) {
    if (after.service.current === null) return [];
    numbers.add(after.service.current);
  }
  return [...numbers].flatMap((number) => {
    const generation = number === null ? undefined : (after.generations[number] ?? before.generations[number]);
    return generation ? [generation] : [];
  });
};

/** The current generation; without respawn, with only as many workers as are left or owed. */
const poolAfter = (after: State): Generation[] => {
  const current = currentOf(after);
  if (!current || respawns(after.service, current)) return current ? [current] : [];
  const alive = count(after, (worker) => worker.kind !== "stopping" && !isEvicted(worker));
  return [{ ...current, instances: Math.min(current.instances, alive + after.service.owed) }];
};

export const openRequests = ({ service: { rollout, pendingRecord, phase } }: State): RequestId[] => [
  ...(rollout?.requests ?? []),
  ...(pendingRecord?.requests ?? []),
  ...(phase.kind === "stopping" ? phase.requests : []),
];

export const count = (state: State, matches: (worker: Worker) => boolean): number =>
  allWorkers(state.workers).filter(matches).length;

export const currentOf = ({ service, generations }: State): Generation | undefined =>
  service.current === null ? undefined : generations[service.current];

export const isGoingDown = ({ service }: State): boolean => service.phase.kind === "stopping";

export const hasEnded = ({ service }: State): boolean => service.phase.kind === "stopping" && service.phase.ended;
