// Invariants of every step, as predicates over (state before, event, state after, effects). For the tests and the
// simulator; crank itself does not run them. Each returns what is wrong, or null.
//
// "Told to go" means that a worker's first stop step was taken. Invariants of a rollout hold in a rollback too, with
// the current generation in the place of the incoming one, and while an evicted worker of that one is replaced.
// Available workers of a superseded generation follow the rules of the rollout that superseded it. A shutdown, and a
// rollback without a previous generation, are exempt: there, everything stops at once.
import { isDeepStrictEqual } from "node:util";
import { plainOf, stateOf } from "../../src/core/model/plain-state.ts";
import { HISTORY_LENGTH } from "../../src/core/model/spec.ts";
import { isAvailable, isBroken, isEvicted, serves } from "../../src/core/model/standing.ts";
import type { State } from "../../src/core/model/state.ts";
import type { Worker } from "../../src/core/model/worker.ts";
import { allWorkers, countWorkers, findWorker } from "../../src/core/model/workers.ts";
import { step } from "../../src/core/step.ts";
import { whatIsKeptWrongly } from "./kept.ts";
import {
  actingGenerations,
  availableToldToGo,
  count,
  currentOf,
  dismissalOf,
  hasEnded,
  isGoingDown,
  isInRollout,
  openRequests,
  type Transition,
} from "./transition.ts";

export type Invariant = (transition: Transition) => string | null;

/**
 * 1. If a rollout tells an available worker to go, at least N − U stay available (N and U of the wanted generation).
 */
export const keepsAvailable: Invariant = (transition) => {
  const told = availableToldToGo(transition);
  if (told.length === 0 || isGoingDown(transition.after)) return null;
  const left = count(transition.after, isAvailable);
  if (transition.event.kind === "scale" && !isInRollout(transition)) {
    const wanted = currentOf(transition.after)?.instances ?? 0;
    return left >= wanted ? null : `scaling to ${wanted} left only ${left} available`;
  }
  if (!isInRollout(transition) && !told.every((id) => dismissalOf(transition, id) !== undefined))
    return `outside of a rollout, available workers were told to go: ${told.join(", ")}`;
  const floors = actingGenerations(transition).map(({ instances, spec }) => instances - spec.unavailable);
  if (floors.length === 0) return null;
  // Without surge and unavailable nothing could be replaced, so such a spec counts as unavailable 1.
  const slack = actingGenerations(transition).some(({ spec }) => spec.surge === 0 && spec.unavailable === 0) ? 1 : 0;
  const floor = Math.min(...floors) - slack;
  return left >= floor ? null : `${left} available left, ${floor} have to be; told to go: ${told.join(", ")}`;
};

/** 2. If a rollout with a surge tells an available worker to go, N stay available, its replacement included. */
export const replacesFirst: Invariant = (transition) => {
  const told = availableToldToGo(transition);
  if (told.length === 0 || isGoingDown(transition.after) || transition.event.kind === "scale") return null;
  const acting = actingGenerations(transition);
  if (acting.length === 0 || acting.some(({ spec }) => spec.surge === 0)) return null;
  const wanted = Math.min(...acting.map(({ instances }) => instances));
  const left = count(transition.after, isAvailable);
  return left >= wanted ? null : `${told.join(", ")} told to go with ${left} of ${wanted} available`;
};

/**
 * 3. No start in a rollout brings starting + ready above N + S, unless a larger generation did before. Without a surge,
 * all processes count, stopping ones too. Outside of a rollout, no start brings them above N.
 */
export const boundsSurge: Invariant = (transition) => {
  const { after, effects, event } = transition;
  if (!effects.some((effect) => effect.kind === "start")) return null;
  if (after.service.phase.kind === "stopping") return "something was started on the way down";
  const alive = count(after, (worker) => worker.kind !== "stopping");
  if (!isInRollout(transition)) {
    const wanted = currentOf(after);
    const places = (wanted?.instances ?? 0) + (count(after, isEvicted) > 0 ? (wanted?.spec.surge ?? 0) : 0);
    return alive <= places ? null : `${alive} workers in ${places} places outside of a rollout`;
  }
  const acting = actingGenerations(transition);
  // A fleet starts all at once, however many workers there are already.
  if (after.service.rollout?.order === "fleet") return null;
  const limit = Math.max(...acting.map(({ instances, spec }) => instances + spec.surge));
  if (alive > limit) return `${alive} starting or ready, ${limit} are allowed`;
  const processes = countWorkers(after.workers);
  const overlaps = acting.length > 0 && acting.every(({ spec }) => spec.surge === 0) && processes > limit;
  return overlaps ? `${processes} processes without a surge (${event.kind})` : null;
};

/**
 * A serving worker is only told to go while fewer are draining than the spec's limit. Exempt are scaling down, a
 * shutdown, and a rollback without a previous generation.
 */
export const boundsDraining: Invariant = (transition) => {
  const told = availableToldToGo(transition);
  if (told.length === 0 || isGoingDown(transition.after) || transition.event.kind === "scale") return null;
  const acting = actingGenerations(transition);
  const limits = acting.map(({ spec }) => spec.maxDraining ?? Number.POSITIVE_INFINITY);
  // If a generation was scaled down while another one was wanted, a rollback finds too many of its workers.
  const isExcess = ({ generation, ...worker }: Worker): boolean =>
    acting.some(({ number }) => number === generation) && !("dismissal" in worker);
  const before = told.flatMap((id) => findWorker(transition.before.workers, id) ?? []);
  if (before.some(isExcess)) return null;
  const draining = count(transition.after, (worker) => worker.kind === "stopping" && worker.wasReady);
  const limit = Math.max(...limits);
  return limits.length === 0 || draining <= limit ? null : `${draining} drain, and ${limit} may`;
};

/**
 * In its pause a rollout begins no replacement: it starts only missing workers, and without a surge it stops no serving
 * one.
 */
export const keepsPause: Invariant = (transition) => {
  const { before, event, after, effects } = transition;
  const until = before.service.pausedUntil;
  const [rollout, left] = [before.service.rollout, after.service.rollout];
  if (until === null || event.now >= until || !rollout || rollout.rollingBack || rollout.order === "fleet") return null;
  if (left?.generation !== rollout.generation || left.rollingBack || event.kind === "scale") return null;
  const [wanted] = actingGenerations(transition);
  if (!wanted) return null;
  const told = availableToldToGo(transition);
  if (told.length > 0 && wanted.spec.surge === 0) return `${told.join(", ")} told to go in the pause`;
  const starts = effects.filter((effect) => effect.kind === "start").length;
  const serving = count(after, (worker) => worker.kind !== "stopping" && !isBroken(worker));
  return starts === 0 || serving <= wanted.instances ? null : `${starts} started in the pause, ${serving} there`;
};

/** No worker is replaced for age or size while anything else is in progress. */
export const recyclesOneByOne: Invariant = ({ before, after, effects }) => {
  const recycled = effects.flatMap((effect) =>
    effect.kind === "event" && effect.event.kind === "workerDismissed" && serves(effect.event.reason)
      ? [effect.event.worker]
      : [],
  );
  if (recycled.length === 0) return null;
  if (recycled.length > 1) return `${recycled.length} are replaced at once`;
  if (before.service.rollout || after.service.rollout) return "a rollout is in flight";
  const others = allWorkers(after.workers).filter(({ id }) => findWorker(before.workers, id) && id !== recycled[0]);
  const isBusy = others.some((worker) => isEvicted(worker) || (worker.kind !== "stopping" && !isAvailable(worker)));
  return isBusy || before.service.owed > 0 ? "one is being replaced already" : null;
};

/**
 * 4. Requests are neither lost nor answered twice. Crank ends once, when the last worker is gone and all requests are
 * answered.
 */
export const answersOnce: Invariant = ({ before, event, after, effects }) => {
  const open = new Set(openRequests(before));
  if ((event.kind === "run" || event.kind === "scale" || event.kind === "shutdown") && event.request !== null) {
    open.add(event.request);
  }
  // Clients of a killed crank have lost their connections.
  if (event.kind === "adopted")
    for (const request of [...open]) if (!event.requests.includes(request)) open.delete(request);
  for (const effect of effects) {
    if (effect.kind === "answer" && !open.delete(effect.request)) return `request ${effect.request} was not open`;
  }
  const left = openRequests(after);
  if (new Set(left).size !== left.length) return "a request is waited for twice";
  if (left.length !== open.size || left.some((request) => !open.has(request))) {
    return `open should be ${[...open].join()}, but are ${left.join()}`;
  }
  return endsOnce({ before, event, after, effects });
};

const endsOnce: Invariant = ({ before, event, after, effects }) => {
  const exits = effects.filter((effect) => effect.kind === "exit").length;
  const ended = hasEnded(after) && !hasEnded(before) ? 1 : 0;
  if (exits !== ended) return `${exits} exits, ${ended} ends`;
  if (hasEnded(before) && !hasEnded(after) && event.kind !== "adopted") return "risen from the dead";
  const isEmpty = countWorkers(after.workers) === 0 && after.service.pendingRecord === null;
  if (exits > 0 && !isEmpty) return "ended before the last worker, or the record";
  if (after.service.phase.kind === "stopping" && isEmpty && !hasEnded(after)) return "nothing is left, and it stays";
  return null;
};

/** 5. The record and the current generation change only by a completed rollout. */
export const recordsDeploys: Invariant = ({ before, after, effects }) => {
  const completed = effects.flatMap((effect) =>
    effect.kind === "event" && effect.event.kind === "rolloutComplete" ? [effect.event.generation] : [],
  );
  const records = effects.filter((effect) => effect.kind === "record").length;
  const isChanged =
    before.history !== after.history && JSON.stringify(before.history) !== JSON.stringify(after.history);
  if (records !== completed.length || isChanged !== records > 0) return `${records} records, changed: ${isChanged}`;
  if (records === 0)
    return after.service.current === before.service.current ? null : "another generation is current unrecorded";
  const [generation] = completed;
  const isRecorded = after.history.at(-1)?.generation === generation && after.service.current === generation;
  if (!isRecorded || records > 1) return `generation ${generation} is complete, but not what was recorded`;
  const living = count(after, (worker) => worker.kind !== "stopping" && worker.generation !== generation);
  return living === 0 ? null : `${living} workers of other generations were left unstopped`;
};

/** 6. A supervisor that has only the state's JSON does the same, in the same order. */
export const survivesKill: Invariant = ({ before, event, after, effects }) => {
  const restored = stateOf(JSON.parse(jsonOf(before)));
  const again = step(restored, throughJson(event));
  if (JSON.stringify(again.effects) !== JSON.stringify(effects)) return "other effects after a restart";
  if (after === before && again.state === restored) return null;
  const [one, other] = [JSON.stringify(plainOf(again.state)), jsonOf(after)];
  return one === other || isSame(one, other) ? null : "another state after a restart";
};

/** The order of an object's keys is no part of the state: those of fields that may be missing depend on its history. */
const isSame = (one: string, other: string): boolean => isDeepStrictEqual(JSON.parse(one), JSON.parse(other));

const jsons = new WeakMap<State, string>();

/** The plain state's JSON, made once: a state is after one step and before the next. */
export const jsonOf = (state: State): string => {
  const known = jsons.get(state);
  if (known !== undefined) return known;
  const json = JSON.stringify(plainOf(state));
  jsons.set(state, json);
  return json;
};

/** Beside the six: the history has each generation once, in order, and at most as many as are kept. */
export const keepsHistory: Invariant = ({ after: { history, service } }) => {
  const numbers = history.map(({ generation }) => generation);
  if (numbers.length > HISTORY_LENGTH) return `${numbers.length} good runs are kept`;
  if (numbers.some((number, index) => index > 0 && number <= (numbers[index - 1] ?? 0)))
    return `the good runs are ${numbers.join(", ")}`;
  const newest = numbers.at(-1) ?? 0;
  return newest < service.nextGeneration ? null : `${service.nextGeneration} is to follow on ${newest}`;
};

/** Everything that is referred to exists, ids are never reused, and only existing workers are signalled. */
export const isWellFormed: Invariant = ({ before, after, effects }) => {
  const indexes = new Set<number>();
  for (const worker of allWorkers(after.workers)) {
    if (!after.generations[worker.generation]) return `worker ${worker.id} is of a forgotten generation`;
    if (worker.id >= after.service.nextWorker) return `worker ${worker.id} has a number that was not given`;
    if (indexes.has(worker.index)) return `index ${worker.index} is used twice`;
    indexes.add(worker.index);
  }
  for (const effect of effects) {
    if (effect.kind === "start" && findWorker(before.workers, effect.worker))
      return `worker ${effect.worker} started twice`;
    if (effect.kind === "start" && effect.worker < before.service.nextWorker) return `${effect.worker} used again`;
    if (effect.kind === "signal" && findWorker(after.workers, effect.worker)?.kind !== "stopping")
      return `worker ${effect.worker} was signalled and is not stopping`;
  }
  return null;
};

/**
 * A worker whose main process has ended is stopping. The rest of its tree was signalled, and the worker is gone only
 * with it.
 */
export const endsTrees: Invariant = ({ before, event, after, effects }) => {
  if (event.kind === "mainExited" && findWorker(before.workers, event.worker)) {
    const worker = findWorker(after.workers, event.worker);
    if (worker?.kind !== "stopping" || worker.rest === undefined) return `what is left of ${event.worker} is forgotten`;
    const isNew = !hasRest(findWorker(before.workers, event.worker));
    const isTold = effects.some(
      (effect) => effect.kind === "signal" && effect.worker === event.worker && effect.target === "tree",
    );
    if (isNew && !isTold) return `what is left of ${event.worker} was not told to go`;
  }
  for (const effect of effects) {
    if (effect.kind === "signal" && effect.target === "process" && hasRest(findWorker(after.workers, effect.worker)))
      return `${effect.signal} for the main process of ${effect.worker}, which has ended`;
  }
  return null;
};

const hasRest = (worker: Worker | undefined): boolean => worker?.kind === "stopping" && worker.rest !== undefined;

/** The kept counts of workers equal those that are counted from all workers. */
export const keepsCounts: Invariant = ({ before, event, after }) =>
  after.workers === before.workers && after.generations === before.generations
    ? null
    : whatIsKeptWrongly(after, event.now);

const CHEAP: Readonly<Record<string, Invariant>> = {
  keepsAvailable,
  replacesFirst,
  boundsSurge,
  boundsDraining,
  keepsPause,
  recyclesOneByOne,
  answersOnce,
  recordsDeploys,
  keepsHistory,
  isWellFormed,
  endsTrees,
  keepsCounts,
};

/** All violations of a step, except of `survivesKill`, which takes as long as all others together. */
export const violations = (transition: Transition): readonly string[] =>
  Object.entries(CHEAP).flatMap(([name, invariant]) => {
    const wrong = invariant(transition);
    return wrong === null ? [] : [`${name}: ${wrong}`];
  });

// Plain JSON has the same type after the round trip.
const throughJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
