// All workers of a service. Counts by standing, the next deadline and the free indexes are kept, not computed at every
// event. Immutable: a change makes another value, which shares the rest. The changes of one owner share one copy
// (owner.ts).
import { oldAt } from "./age.ts";
import {
  differences,
  EMPTY,
  earliestOf,
  find,
  type IdMap,
  NEVER,
  sizeOf,
  valuesDue,
  valuesOf,
  withEntry,
  withoutEntry,
} from "./id-map.ts";
import { firstId, hasIds, type IdSet, NO_IDS, withId, withoutId } from "./id-set.ts";
import type { Own, Owner } from "./owner.ts";
import type { Spec } from "./spec.ts";
import { dueAt, isIncoming, STANDING, type Standing, standingOf } from "./standing.ts";
import type { GenerationNumber, Worker, WorkerId } from "./worker.ts";

/**
 * The workers of one generation. `counts`: how many have each standing. `living`: the ids for each living standing.
 * `ages`: the available workers, if there is an age limit, each due when it is too old.
 */
export type Pool = {
  readonly generation: GenerationNumber;
  readonly counts: Counts;
  readonly living: readonly IdSet[];
  readonly ages: IdMap<true>;
  readonly owner: Owner;
};
/** By standing; behind those, the number of `INCOMING` workers, and of `ALL`. */
export type Counts = readonly [number, number, number, number, number, number, number, number, number, number];
const INCOMING = 8;
const ALL = 9;

/** Read it through the functions below; others.ts, which needs an order, and pool.ts, which counts all, are exceptions. */
export type Workers = {
  readonly byId: IdMap<Worker>;
  /** Of the generations that have processes: in a rollout two, else mostly one. */
  readonly pools: readonly Pool[];
  /** The indexes below `indexes` that no worker has. */
  readonly freeIndexes: IdSet;
  readonly indexes: number;
  readonly owner: Owner;
};

const NONE: Counts = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const NONE_LIVING: readonly IdSet[] = Array(STANDING.broken + 1).fill(NO_IDS);

export const NO_WORKERS: Workers = {
  byId: EMPTY,
  pools: [],
  freeIndexes: NO_IDS,
  indexes: 0,
  owner: null,
};

export const countWorkers = ({ byId }: Workers): number => sizeOf(byId);

export const countOf = ({ pools }: Workers, standing: Standing): number => sum(pools, standing);

/** The number of workers that are not stopping. */
export const countLiving = (workers: Workers): number =>
  countWorkers(workers) - countOf(workers, STANDING.draining) - countOf(workers, STANDING.stopping);

/** The number of evicted workers that are not stopping yet. */
export const countEvicted = ({ pools }: Workers): number => {
  let evicted = 0;
  for (let index = 0; index < pools.length; index++) {
    const { counts } = pools[index] as Pool;
    evicted += counts[STANDING.outgoing] + counts[STANDING.outgoingEarly] + counts[STANDING.broken];
  }
  return evicted;
};

/** The number of replacements of evicted workers that are not available yet. */
export const countIncoming = ({ pools }: Workers): number => sum(pools, INCOMING);

const sum = (pools: readonly Pool[], what: Standing | typeof INCOMING): number => {
  let all = 0;
  for (let index = 0; index < pools.length; index++) all += (pools[index] as Pool).counts[what];
  return all;
};

/** undefined: the generation has no workers. */
export const findPool = ({ pools }: Workers, generation: GenerationNumber): Pool | undefined => {
  // The newest is last, and asked for most often.
  for (let index = pools.length - 1; index >= 0; index--)
    if (pools[index]?.generation === generation) return pools[index];
  return undefined;
};

/** The number of a pool's workers with this standing. */
export const countIn = (pool: Pool | undefined, standing: Standing): number =>
  pool === undefined ? 0 : pool.counts[standing];

/** The number of ready workers of a generation, evicted ones included. */
export const countReady = (workers: Workers, generation: GenerationNumber): number => {
  const { counts } = findPool(workers, generation) ?? { counts: NONE };
  const { unproven, available, outgoing, outgoingEarly, broken } = STANDING;
  return counts[unproven] + counts[available] + counts[outgoing] + counts[outgoingEarly] + counts[broken];
};

/** The number of processes of a generation, stopping ones included. */
export const countProcesses = (workers: Workers, generation: GenerationNumber): number =>
  findPool(workers, generation)?.counts[ALL] ?? 0;

/** The available workers of a generation, each due when it is too old. */
export const agesOf = (workers: Workers, generation: GenerationNumber): IdMap<true> =>
  findPool(workers, generation)?.ages ?? EMPTY;

export const findWorker = ({ byId }: Workers, id: WorkerId): Worker | undefined => find(byId, id);

/** All workers, the oldest first. */
export const allWorkers = ({ byId }: Workers): readonly Worker[] => valuesOf(byId);

/** The earliest deadline of a worker, CLOCK_MONOTONIC ms; NEVER: there is none. */
export const workersDueAt = ({ byId }: Workers): number => earliestOf(byId);

/** The workers whose deadlines have passed. */
export const dueWorkers = ({ byId }: Workers, now: number): readonly Worker[] => valuesDue(byId, now);

/** The ids of workers that differ between the two. What both share costs nothing. */
export const changedWorkers = (before: Workers, after: Workers): readonly WorkerId[] =>
  differences(before.byId, after.byId);

/** The lowest index, from 0, that no worker has. */
export const freeIndex = ({ freeIndexes, indexes }: Workers): number =>
  hasIds(freeIndexes) ? firstId(freeIndexes) : indexes;

/** Adds a worker, or replaces the one with its id. `spec`: of its generation; undefined: that was pruned. */
export const withWorker = (workers: Workers, worker: Worker, spec: Spec | undefined, owner: Owner): Workers => {
  const { id } = worker;
  const next = owned(workers, owner);
  const before = find(next.byId, id);
  next.byId = withEntry(next.byId, id, worker, dueAt(worker) ?? NEVER, owner);
  const to = standingOf(worker);
  if (before === undefined) {
    takeIndex(next, worker.index);
    const pool = ownPool(next, worker.generation);
    pool.counts[ALL] += 1;
    enter(pool, worker, to, spec);
    return next;
  }
  const from = standingOf(before);
  if (from === to && (worker.replacement !== true || isIncoming(before) === isIncoming(worker))) return next;
  const pool = ownPool(next, worker.generation);
  leave(pool, before, from);
  enter(pool, worker, to, spec);
  return next;
};

/** Removes a worker; its index is free again. */
export const withoutWorker = (workers: Workers, id: WorkerId, owner: Owner): Workers => {
  const worker = find(workers.byId, id);
  if (!worker) return workers;
  const next = owned(workers, owner);
  next.byId = withoutEntry(next.byId, id, owner);
  next.freeIndexes = withId(next.freeIndexes, worker.index, owner);
  const pool = ownPool(next, worker.generation);
  leave(pool, worker, standingOf(worker));
  pool.counts[ALL] -= 1;
  // A generation without processes has no pool.
  if (pool.counts[ALL] === 0) next.pools = next.pools.filter((other) => other !== pool);
  return next;
};

// Copies of one owner, changed in place -------------------------------------------------------------------------------

type OwnWorkers = Own<Workers> & { pools: Pool[] };
type OwnPool = Own<Pool> & { counts: Own<Counts>; living: IdSet[] };

const owned = (workers: Workers, owner: Owner): OwnWorkers => {
  // A value with this owner was made below, as an own one.
  if (owner !== null && workers.owner === owner) return workers as OwnWorkers;
  const { byId, pools, freeIndexes, indexes } = workers;
  return { byId, pools: copyOf(pools), freeIndexes, indexes, owner };
};

/** This engine has a fast path for with(), but not for slice(). */
const copyOf = <T>(list: readonly T[]): T[] => (list.length === 0 ? [] : list.with(0, list[0] as T));

const ownPool = ({ pools, owner }: OwnWorkers, generation: GenerationNumber): OwnPool => {
  let index = pools.length - 1;
  while (index >= 0 && pools[index]?.generation !== generation) index -= 1;
  const pool = pools[index];
  // As above.
  if (pool && owner !== null && pool.owner === owner) return pool as OwnPool;
  const counts = pool?.counts ?? NONE;
  const own: OwnPool = {
    generation,
    // with() forgets how many numbers there are.
    counts: counts.with(0, counts[0]) as Own<Counts>,
    living: copyOf(pool?.living ?? NONE_LIVING),
    ages: pool?.ages ?? EMPTY,
    owner,
  };
  pools[pool ? index : pools.length] = own;
  return own;
};

const takeIndex = (workers: OwnWorkers, index: number): void => {
  const { owner } = workers;
  if (index < workers.indexes) {
    workers.freeIndexes = withoutId(workers.freeIndexes, index, owner);
    return;
  }
  for (let id = workers.indexes; id < index; id++) workers.freeIndexes = withId(workers.freeIndexes, id, owner);
  workers.indexes = index + 1;
};

/** The worker has this standing in its pool from now on. */
const enter = (pool: OwnPool, worker: Worker, standing: Standing, spec: Spec | undefined): void => {
  const { counts, living, owner } = pool;
  counts[standing] += 1;
  if (isIncoming(worker)) counts[INCOMING] += 1;
  const ids = living[standing];
  if (ids !== undefined) living[standing] = withId(ids, worker.id, owner);
  if (standing !== STANDING.available) return;
  const tooOldAt = oldAt(worker, spec);
  if (tooOldAt !== NEVER) pool.ages = withEntry<true>(pool.ages, worker.id, true, tooOldAt, owner);
};

/** The worker does not have this standing in its pool any more. */
const leave = (pool: OwnPool, worker: Worker, standing: Standing): void => {
  const { counts, living, owner } = pool;
  counts[standing] -= 1;
  if (isIncoming(worker)) counts[INCOMING] -= 1;
  const ids = living[standing];
  if (ids !== undefined) living[standing] = withoutId(ids, worker.id, owner);
  if (standing === STANDING.available && pool.ages !== EMPTY) pool.ages = withoutEntry(pool.ages, worker.id, owner);
};
