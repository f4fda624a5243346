// The pool as a rollout sees it: which workers live, which are available, which may stop next, and how many may be
// started now. Nothing here changes anything.

import type { IdSet } from "../model/id-set.ts";
import { STANDING, type Standing } from "../model/standing.ts";
import type { Generation, Rollout, State } from "../model/state.ts";
import type { GenerationNumber } from "../model/worker.ts";
import type { Pool } from "../model/workers.ts";
import { respawns } from "../worker/backoff.ts";

// As variables of their own: on this engine they are read in half the time.
const {
  starting: STARTING,
  unproven: UNPROVEN,
  available: AVAILABLE,
  outgoing: OUTGOING,
  outgoingEarly: OUTGOING_EARLY,
  broken: BROKEN,
  draining: DRAINING,
  stopping: STOPPING,
} = STANDING;

/** A state, or a draft of the next one. */
export type View = Pick<State, "service" | "generations" | "workers">;

/** The workers of a generation that have one standing, which is not that of a stopping one: at least one. */
export type Kind = { readonly generation: GenerationNumber; readonly standing: Standing; readonly ids: IdSet };

/** `processes`: all, stopping ones included. `alive`: starting or ready. `wanted…`: of the wanted generation. */
export type Census = {
  processes: number;
  alive: number;
  available: number;
  wantedAlive: number;
  wantedAvailable: number;
  /** Living workers that are evicted, of any generation. They count as others. */
  evicted: number;
  /** Evicted workers that do not serve. */
  broken: number;
  /** Stopping workers that were ready. */
  draining: number;
  /** Workers that are evicted or of other generations, and not stopping yet. */
  othersLeft: number;
};

/** The generation to bring to its number: the incoming one; without a rollout or in a rollback, the current one. */
export const wantedGeneration = ({ service, generations }: View): Generation | null => {
  if (service.phase.kind === "stopping") return null;
  const { rollout, current } = service;
  const number = rollout && !rollout.rollingBack ? rollout.generation : current;
  return number === null ? null : (generations[number] ?? null);
};

/** Counts the workers from the view of the wanted generation; null: none is wanted. */
export const takeCensus = ({ workers: { pools } }: View, wanted: Generation | null): Census => {
  const number = wanted?.number;
  let stopping = 0;
  let alive = 0;
  let available = 0;
  let wantedAlive = 0;
  let wantedAvailable = 0;
  let evicted = 0;
  let broken = 0;
  let draining = 0;
  for (let index = 0; index < pools.length; index++) {
    const { generation, counts } = pools[index] as Pool;
    const kept = counts[STARTING] + counts[UNPROVEN] + counts[AVAILABLE];
    const replaced = counts[OUTGOING] + counts[OUTGOING_EARLY] + counts[BROKEN];
    alive += kept + replaced;
    available += counts[AVAILABLE] + counts[OUTGOING];
    evicted += replaced;
    broken += counts[BROKEN];
    draining += counts[DRAINING];
    stopping += counts[STOPPING];
    if (generation !== number) continue;
    wantedAlive = kept;
    wantedAvailable = counts[AVAILABLE];
  }
  const processes = alive + draining + stopping;
  const othersLeft = alive - wantedAlive;
  return { processes, alive, available, wantedAlive, wantedAvailable, evicted, broken, draining, othersLeft };
};

/**
 * How many workers stay available throughout a rollout. With a surge each successor starts first, so none is missing.
 * Without one, `unavailable` may be missing: at least one, because otherwise nothing could start.
 */
const availableFloor = ({ spec, instances }: Generation): number =>
  spec.surge > 0 ? instances : Math.max(0, instances - Math.max(1, spec.unavailable));

/**
 * Whether a worker of this kind, which is evicted or not of the wanted generation, may stop now. An available worker
 * stops when enough others are available. One that is not available may also stop earlier: if its generation failed or
 * was superseded; if nothing can be started without its slot; or if its successors fail, perhaps because they need what
 * it holds.
 */
export const mayStop = (view: View, wanted: Generation | null, census: Census, kind: Kind): boolean => {
  if (wanted === null) return true;
  const { standing, generation } = kind;
  if (isFleet(view.service.rollout) && census.wantedAvailable < wanted.instances) return false;
  if (standing !== STARTING && standing !== BROKEN && !mayDrain(wanted, census)) return false;
  const floor = availableFloor(wanted);
  if (isAvailableKind(kind)) return census.available - 1 >= floor && !(wanted.spec.surge === 0 && isPausing(view));
  const isLeftover = generation !== view.service.current && generation !== wanted.number;
  return isLeftover || isInTheWay(view, wanted, census, kind) || census.available >= floor || isStuck(wanted, census);
};

/** Whether workers of this kind count as available. */
export const isAvailableKind = ({ standing }: Kind): boolean => standing === AVAILABLE || standing === OUTGOING;

/** Whether workers of this kind are evicted. */
export const isEvictedKind = ({ standing }: Kind): boolean =>
  standing === OUTGOING || standing === OUTGOING_EARLY || standing === BROKEN;

/** Whether neither a pause nor the limit of draining workers holds up the others. */
export const mayAllGo = (view: View, { spec }: Generation, { draining, othersLeft }: Census): boolean =>
  !(spec.surge === 0 && isPausing(view)) && (spec.maxDraining === null || draining + othersLeft <= spec.maxDraining);

/** A successor has failed and none is starting: evicted workers make room, one at a time. */
const isInTheWay = (view: View, { instances }: Generation, census: Census, kind: Kind): boolean =>
  isEvictedKind(kind) &&
  view.service.deaths > 0 &&
  census.alive >= instances &&
  census.wantedAlive === census.wantedAvailable;

/** There is no room for another start, and every started worker is already available. */
const isStuck = ({ spec, instances }: Generation, census: Census): boolean =>
  census.wantedAlive < instances &&
  census.alive >= instances + spec.surge &&
  census.wantedAlive === census.wantedAvailable;

/** How many workers of the wanted generation to start as soon as `service.nextStartAt` allows. */
export const startsWanted = (view: View, wanted: Generation | null, census: Census): number => {
  if (wanted === null) return 0;
  let starts = missed(view, wanted, census);
  if (starts <= 0) return 0;
  const slots = room(view, wanted, census);
  if (slots < starts) starts = slots;
  const most = paced(view, census);
  if (most < starts) starts = most;
  return starts > 0 ? starts : 0;
};

/** How many workers are missing. */
const missed = ({ service }: View, wanted: Generation, census: Census): number => {
  const { rollout, manner, owed } = service;
  const isMixed = rollout?.rollingBack != null && !manner.restores;
  const missing = wanted.instances - (isMixed ? census.alive - census.evicted : census.wantedAlive);
  // Without respawn only evicted workers are missing.
  return !respawns(service, wanted) && (!rollout || isMixed) ? Math.min(missing, owed) : missing;
};

/** Whether a worker will be started without a request, now or when there is room for it. */
export const willStart = (view: View): boolean => {
  const wanted = wantedGeneration(view);
  return wanted !== null && missed(view, wanted, takeCensus(view, wanted)) > 0;
};

/** How many starts `manner.pace` allows at once. */
const paced = ({ service: { manner, respawn } }: View, census: Census): number => {
  if (manner.pace === null) return Number.POSITIVE_INFINITY;
  const free = Math.max(0, manner.pace.maxUnready - (census.wantedAlive - census.wantedAvailable));
  return respawn?.baseMs === 0 ? free : Math.min(1, free);
};

/**
 * How many more processes may run. Without a surge none may overlap: a stopping worker keeps its slot until it is gone.
 */
const room = (view: View, wanted: Generation, census: Census): number => {
  if (isFleet(view.service.rollout)) return Number.POSITIVE_INFINITY;
  if (wanted.spec.surge === 0) return wanted.instances - census.processes;
  return wanted.instances + surgeNow(view, wanted, census) - census.alive;
};

/**
 * How many workers above the wanted number may run now. A rollout begins no replacement in its pause, nor one that
 * would have to wait until another worker has drained. Workers that do not serve are replaced all the same.
 */
const surgeNow = (view: View, { spec }: Generation, { draining, broken }: Census): number => {
  const { surge, maxDraining } = spec;
  const { rollout, pausedUntil } = view.service;
  if (rollout === null || rollout.rollingBack !== null) return surge;
  if (pausedUntil === null && maxDraining === null) return surge;
  const slots = maxDraining === null ? surge : Math.max(0, maxDraining - draining);
  return Math.min(surge, Math.max(broken, pausedUntil === null ? slots : 0));
};

/** Whether a rollout pauses between two replacements. */
const isPausing = ({ service: { rollout, pausedUntil } }: View): boolean =>
  pausedUntil !== null && rollout !== null && rollout.rollingBack === null;

/** Whether one more worker may drain. */
const mayDrain = ({ spec }: Generation, { draining }: Census): boolean =>
  spec.maxDraining === null || draining < spec.maxDraining;

/** Whether all new workers start at once, and the old ones stop when all new ones are available. */
const isFleet = (rollout: Rollout | null): boolean => rollout?.order === "fleet" && rollout.rollingBack === null;

/** Whether the rollout is done, except for the record. */
export const isComplete = ({ instances }: Generation, census: Census): boolean =>
  census.wantedAvailable >= instances && census.othersLeft === 0;
