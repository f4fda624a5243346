// The pool as a rollout sees it: who lives, who is available, who may be stopped next and how many may be started now.
// Everything here is a question; the answers are acted on elsewhere.

import { isAvailable, isBroken, isEvicted, STANDING } from "../model/standing.ts";
import type { Generation, Rollout, State } from "../model/state.ts";
import { countEvicted, countIn, countOf, countWorkers, findPool } from "../model/workers.ts";
import { respawns } from "../worker/backoff.ts";
import type { Living } from "../worker/stopping.ts";

/** What the questions are asked of: a state, or a draft of the next one. */
export type View = Pick<State, "service" | "generations" | "workers">;

/** `processes`: all, those that are stopping too. `alive`: starting or ready. `wanted…`: of the generation that is wanted. */
export type Census = {
  processes: number;
  alive: number;
  available: number;
  wantedAlive: number;
  wantedAvailable: number;
  /** Living workers that are to be replaced: they are among the others, of whatever generation. */
  evicted: number;
  /** Those among them that do not serve until then. */
  broken: number;
  /** Workers that have been ready and are stopping. */
  draining: number;
  /** Living workers of all other generations, and those that are evicted, that have not been told to go. */
  othersLeft: number;
};

/** The generation that is to be brought to its number now: the incoming one, or on the way back, and otherwise, the current one. */
export const wantedGeneration = ({ service, generations }: View): Generation | null => {
  if (service.phase.kind === "stopping") return null;
  const { rollout, current } = service;
  const number = rollout && !rollout.rollingBack ? rollout.generation : current;
  return number === null ? null : (generations[number] ?? null);
};

/** How many there are, seen from the generation that is wanted; null: none is. */
export const takeCensus = ({ workers }: View, wanted: Generation | null): Census => {
  const processes = countWorkers(workers);
  const draining = countOf(workers, STANDING.draining);
  const alive = processes - draining - countOf(workers, STANDING.stopping);
  const evicted = countEvicted(workers);
  const pool = wanted === null ? undefined : findPool(workers, wanted.number);
  const wantedAvailable = countIn(pool, STANDING.available);
  const wantedAlive = wantedAvailable + countIn(pool, STANDING.starting) + countIn(pool, STANDING.unproven);
  return {
    processes,
    alive,
    available: countOf(workers, STANDING.available) + (evicted === 0 ? 0 : countOf(workers, STANDING.outgoing)),
    wantedAlive,
    wantedAvailable,
    evicted,
    broken: evicted === 0 ? 0 : countOf(workers, STANDING.broken),
    draining,
    othersLeft: alive - wantedAlive,
  };
};

/**
 * How many workers stay available whatever a rollout does. With a surge every replacement comes first, so that nothing
 * is missing at any time; without one, `unavailable` says how many may be missing (at least one, or nothing could move).
 */
const availableFloor = ({ spec, instances }: Generation): number =>
  spec.surge > 0 ? instances : Math.max(0, instances - Math.max(1, spec.unavailable));

/**
 * Whether `worker`, evicted or not of the wanted generation, may be told to go now.
 * One that is available goes when enough others are. One that is not goes then as well; earlier if its generation has
 * failed or was superseded; earlier if it takes the place without which nothing can be started; and earlier if its
 * successors fail, which may want what it holds.
 */
export const mayStop = (view: View, wanted: Generation | null, census: Census, worker: Living): boolean => {
  if (wanted === null) return true;
  if (isFleet(view.service.rollout) && census.wantedAvailable < wanted.instances) return false;
  if (worker.kind === "ready" && !isBroken(worker) && !mayDrain(wanted, census)) return false;
  const floor = availableFloor(wanted);
  if (isAvailable(worker)) return census.available - 1 >= floor && !(wanted.spec.surge === 0 && isPausing(view));
  const isLeftover = worker.generation !== view.service.current && worker.generation !== wanted.number;
  return isLeftover || isInTheWay(view, wanted, census, worker) || census.available >= floor || isStuck(wanted, census);
};

/** Whether neither a pause nor the drains of others hold up those that are to go. */
export const mayAllGo = (view: View, { spec }: Generation, { draining, othersLeft }: Census): boolean =>
  !(spec.surge === 0 && isPausing(view)) && (spec.maxDraining === null || draining + othersLeft <= spec.maxDraining);

/** A successor has failed, and none is on its way: one that is evicted makes room, and one at a time is enough. */
const isInTheWay = (view: View, { instances }: Generation, census: Census, worker: Living): boolean =>
  isEvicted(worker) &&
  view.service.deaths > 0 &&
  census.alive >= instances &&
  census.wantedAlive === census.wantedAvailable;

/** Nothing more can be started for want of room, and nothing that was started is still on its way. */
const isStuck = ({ spec, instances }: Generation, census: Census): boolean =>
  census.wantedAlive < instances &&
  census.alive >= instances + spec.surge &&
  census.wantedAlive === census.wantedAvailable;

/** How many workers of the wanted generation should be started as soon as `service.nextStartAt` allows. */
export const startsWanted = (view: View, wanted: Generation | null, census: Census): number => {
  if (wanted === null) return 0;
  return Math.max(0, Math.min(missed(view, wanted, census), room(view, wanted, census), paced(view, census)));
};

/** How many workers there are too few. */
const missed = ({ service }: View, wanted: Generation, census: Census): number => {
  const { rollout, manner, owed } = service;
  const isMixed = rollout?.rollingBack != null && !manner.restores;
  const missing = wanted.instances - (isMixed ? census.alive - census.evicted : census.wantedAlive);
  // Where nobody is respawned, only who was evicted is missed.
  return !respawns(service, wanted) && (!rollout || isMixed) ? Math.min(missing, owed) : missing;
};

/** Whether a worker is going to be started, now or when there is room for it, without anybody asking. */
export const willStart = (view: View): boolean => {
  const wanted = wantedGeneration(view);
  return wanted !== null && missed(view, wanted, takeCensus(view, wanted)) > 0;
};

/** How many starts the program's pace allows at one time. */
const paced = ({ service: { manner, respawn } }: View, census: Census): number => {
  if (manner.pace === null) return Number.POSITIVE_INFINITY;
  const free = Math.max(0, manner.pace.maxUnready - (census.wantedAlive - census.wantedAvailable));
  return respawn?.baseMs === 0 ? free : Math.min(1, free);
};

/** How many more processes there may be. A service without a surge cannot overlap: who is stopping takes a place until it is gone. */
const room = (view: View, wanted: Generation, census: Census): number => {
  if (isFleet(view.service.rollout)) return Number.POSITIVE_INFINITY;
  if (wanted.spec.surge === 0) return wanted.instances - census.processes;
  return wanted.instances + surgeNow(view, wanted, census) - census.alive;
};

/**
 * How many more than the wanted number there may be now. A rollout begins no replacement in its pause, nor one that would
 * have to wait for a place to drain in. Whoever does not serve is replaced all the same.
 */
const surgeNow = (view: View, { spec }: Generation, { draining, broken }: Census): number => {
  const { rollout } = view.service;
  if (rollout === null || rollout.rollingBack) return spec.surge;
  const places = spec.maxDraining === null ? spec.surge : Math.max(0, spec.maxDraining - draining);
  return Math.min(spec.surge, Math.max(broken, isPausing(view) ? 0 : places));
};

/** Whether a rollout waits between two replacements. */
const isPausing = ({ service: { rollout, pausedUntil } }: View): boolean =>
  pausedUntil !== null && rollout !== null && rollout.rollingBack === null;

/** Whether there is a place for one more worker that drains. */
const mayDrain = ({ spec }: Generation, { draining }: Census): boolean =>
  spec.maxDraining === null || draining < spec.maxDraining;

/** Whether all new workers come at once, and the old ones go when all of them are available. */
const isFleet = (rollout: Rollout | null): boolean => rollout?.order === "fleet" && rollout.rollingBack === null;

/** The rollout has done what it was for, but for the record. */
export const isComplete = ({ instances }: Generation, census: Census): boolean =>
  census.wantedAvailable >= instances && census.othersLeft === 0;
