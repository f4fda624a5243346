// All workers of a service. Counts by standing, the next deadline and the free indexes are kept, not computed at every
// event. Immutable: a change makes another value, which shares the rest. The changes of one owner share one copy
// (owner.ts).
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
import { type IdSet, NO_IDS, nextId, sizeOf as sizeOfSet, withId, withoutId } from "./id-set.ts";
import type { Own, Owner } from "./owner.ts";
import { dueAt, isIncoming, STANDING, type Standing, standingOf } from "./standing.ts";
import type { GenerationNumber, Worker, WorkerId } from "./worker.ts";

/**
 * The workers of one generation. `processes`: all, stopping ones included. `living`: the ids for each living standing.
 * `ages`: the available workers, if there is an age limit, each due when it is too old.
 */
export type Pool = {
  readonly generation: GenerationNumber;
  readonly processes: number;
  readonly living: readonly IdSet[];
  readonly ages: IdMap<true>;
  readonly owner: Owner;
};
/** The number of workers by standing; behind those, the number of `INCOMING` ones. */
type Counts = readonly number[];
const INCOMING = 8;

/** Read it through the functions below; others.ts, which needs an order, is the exception. */
export type Workers = {
  readonly byId: IdMap<Worker>;
  readonly counts: Counts;
  /** Of the generations that have processes. */
  readonly pools: readonly Pool[];
  /** The indexes below `indexes` that no worker has. */
  readonly freeIndexes: IdSet;
  readonly indexes: number;
  readonly owner: Owner;
};

const NONE_LIVING: readonly IdSet[] = Array(STANDING.broken + 1).fill(NO_IDS);

export const NO_WORKERS: Workers = {
  byId: EMPTY,
  counts: Array(INCOMING + 1).fill(0),
  pools: [],
  freeIndexes: NO_IDS,
  indexes: 0,
  owner: null,
};

export const countWorkers = ({ byId }: Workers): number => sizeOf(byId);

export const countOf = ({ counts }: Workers, standing: Standing): number => counts[standing] ?? 0;

/** The number of workers that are not stopping. */
export const countLiving = (workers: Workers): number =>
  countWorkers(workers) - countOf(workers, STANDING.draining) - countOf(workers, STANDING.stopping);

/** The number of evicted workers that are not stopping yet. */
export const countEvicted = ({ counts }: Workers): number =>
  (counts[STANDING.outgoing] ?? 0) + (counts[STANDING.outgoingEarly] ?? 0) + (counts[STANDING.broken] ?? 0);

/** The number of replacements of evicted workers that are not available yet. */
export const countIncoming = ({ counts }: Workers): number => counts[INCOMING] ?? 0;

/** undefined: the generation has no workers. */
export const findPool = ({ pools }: Workers, generation: GenerationNumber): Pool | undefined => {
  // The newest is last, and asked for most often.
  for (let place = pools.length - 1; place >= 0; place--)
    if (pools[place]?.generation === generation) return pools[place];
  return undefined;
};

/** The number of a pool's workers with this standing, which is not one of stopping workers. */
export const countIn = (pool: Pool | undefined, standing: Standing): number => {
  const ids = pool?.living[standing];
  return ids === undefined ? 0 : sizeOfSet(ids);
};

/** The number of ready workers of a generation, evicted ones included. */
export const countReady = (workers: Workers, generation: GenerationNumber): number => {
  const living = findPool(workers, generation)?.living ?? [];
  return living.reduce((ready, ids, standing) => (standing === STANDING.starting ? ready : ready + sizeOfSet(ids)), 0);
};

/** The number of processes of a generation, stopping ones included. */
export const countProcesses = (workers: Workers, generation: GenerationNumber): number =>
  findPool(workers, generation)?.processes ?? 0;

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
export const freeIndex = ({ freeIndexes, indexes }: Workers): number => nextId(freeIndexes, 0) ?? indexes;

/** Adds a worker, or replaces the one with its id. `oldAt`: when it is too old; NEVER: there is no limit. */
export const withWorker = (workers: Workers, worker: Worker, oldAt: number, owner: Owner): Workers => {
  const { id } = worker;
  const next = owned(workers, owner);
  const before = find(next.byId, id);
  next.byId = withEntry(next.byId, id, worker, dueAt(worker) ?? NEVER, owner);
  const to = standingOf(worker);
  if (before === undefined) {
    takeIndex(next, worker.index);
    count(next, worker, to, 1);
    move(ownPool(next, worker.generation), id, NOWHERE, to, oldAt).processes += 1;
    return next;
  }
  const from = standingOf(before);
  if (from === to && isIncoming(before) === isIncoming(worker)) return next;
  count(next, before, from, -1);
  count(next, worker, to, 1);
  move(ownPool(next, worker.generation), id, from, to, oldAt);
  return next;
};

/** Removes a worker; its index is free again. */
export const withoutWorker = (workers: Workers, id: WorkerId, owner: Owner): Workers => {
  const worker = find(workers.byId, id);
  if (!worker) return workers;
  const next = owned(workers, owner);
  const from = standingOf(worker);
  next.byId = withoutEntry(next.byId, id, owner);
  next.freeIndexes = withId(next.freeIndexes, worker.index, owner);
  count(next, worker, from, -1);
  const pool = move(ownPool(next, worker.generation), id, from, NOWHERE, NEVER);
  pool.processes -= 1;
  // A generation without processes has no pool.
  if (pool.processes === 0) next.pools = next.pools.filter((other) => other !== pool);
  return next;
};

// Copies of one owner, changed in place -------------------------------------------------------------------------------

type OwnWorkers = Own<Workers> & { counts: number[]; pools: Pool[] };
/** This engine has a fast path for with(), but not for slice(). */
const copyOf = <T>(list: readonly T[]): T[] => (list.length === 0 ? [] : list.with(0, list[0] as T));

type OwnPool = Own<Pool> & { living: IdSet[] };

const owned = (workers: Workers, owner: Owner): OwnWorkers => {
  // A value with this owner was made below, as an own one.
  if (owner !== null && workers.owner === owner) return workers as OwnWorkers;
  const { byId, counts, pools, freeIndexes, indexes } = workers;
  return { byId, counts: copyOf(counts), pools: copyOf(pools), freeIndexes, indexes, owner };
};

const ownPool = ({ pools, owner }: OwnWorkers, generation: GenerationNumber): OwnPool => {
  let place = pools.length - 1;
  while (place >= 0 && pools[place]?.generation !== generation) place -= 1;
  const pool = pools[place];
  // As above.
  if (pool && owner !== null && pool.owner === owner) return pool as OwnPool;
  const own: OwnPool = pool
    ? { generation, processes: pool.processes, living: copyOf(pool.living), ages: pool.ages, owner }
    : { generation, processes: 0, living: copyOf(NONE_LIVING), ages: EMPTY, owner };
  pools[pool ? place : pools.length] = own;
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

const count = ({ counts }: OwnWorkers, worker: Worker, standing: Standing, by: 1 | -1): void => {
  counts[standing] = (counts[standing] ?? 0) + by;
  if (isIncoming(worker)) counts[INCOMING] = (counts[INCOMING] ?? 0) + by;
};

/** The standing of a worker that is not there. */
const NOWHERE = -1;

/** Changes the standing of a worker in its pool. */
const move = (
  pool: OwnPool,
  id: WorkerId,
  from: Standing | typeof NOWHERE,
  to: Standing | typeof NOWHERE,
  oldAt: number,
): OwnPool => {
  const { living, owner } = pool;
  const left = living[from];
  if (left) living[from] = withoutId(left, id, owner);
  const entered = living[to];
  if (entered) living[to] = withId(entered, id, owner);
  if (to === STANDING.available && oldAt !== NEVER) pool.ages = withEntry<true>(pool.ages, id, true, oldAt, owner);
  else if (pool.ages !== EMPTY) pool.ages = withoutEntry(pool.ages, id, owner);
  return pool;
};
