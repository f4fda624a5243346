// All workers of a service, with what is asked of them all at every event kept rather than counted: how many there are of
// each standing, who is due next, which index is free. Never changed: a change makes another value, which shares the rest.
import {
  differences,
  EMPTY,
  earliestOf,
  find,
  type IdMap,
  NEVER,
  valuesDue,
  valuesOf,
  withEntry,
  withoutEntry,
} from "./id-map.ts";
import { type IdSet, NO_IDS, nextId, withId, withoutId } from "./id-set.ts";
import { dueAt, isIncoming, STANDING, type Standing, standingOf } from "./standing.ts";
import type { GenerationNumber, Worker, WorkerId } from "./state.ts";

/**
 * The workers of one generation. `processes`: all that there are, those that are stopping too. `living`: for each standing
 * of those that live, who has it. `ages`: of those that are available, where age has a limit, each due when it is too old.
 */
export type Pool = {
  readonly generation: GenerationNumber;
  readonly processes: number;
  readonly living: readonly IdSet[];
  readonly ages: IdMap<true>;
};
/** How many workers have each standing; and, behind those, how many are `INCOMING`. */
type Counts = readonly number[];
const INCOMING = 8;

/** To be read by the functions below, and by those that ask for an order (others.ts). */
export type Workers = {
  readonly byId: IdMap<Worker>;
  readonly counts: Counts;
  readonly pools: Readonly<Record<GenerationNumber, Pool>>;
  /** The indexes below `indexes` that no worker has. */
  readonly freeIndexes: IdSet;
  readonly indexes: number;
};

const noPool = (generation: GenerationNumber): Pool => ({
  generation,
  processes: 0,
  living: Array(STANDING.broken + 1).fill(NO_IDS),
  ages: EMPTY,
});

export const NO_WORKERS: Workers = {
  byId: EMPTY,
  counts: Array(INCOMING + 1).fill(0),
  pools: {},
  freeIndexes: NO_IDS,
  indexes: 0,
};

/** How many there are. */
export const countWorkers = ({ byId }: Workers): number => byId.size;

/** How many have this standing. */
export const countOf = ({ counts }: Workers, standing: Standing): number => counts[standing] ?? 0;

/** How many were started in the places of others that were dismissed, and are not available yet. */
export const countIncoming = ({ counts }: Workers): number => counts[INCOMING] ?? 0;

/** How many of a generation have this standing, which is one of those that live. */
export const countIn = ({ pools }: Workers, generation: GenerationNumber, standing: Standing): number =>
  pools[generation]?.living[standing]?.size ?? 0;

/** The available workers of a generation, each due when it is too old. */
export const agesOf = ({ pools }: Workers, generation: GenerationNumber): IdMap<true> =>
  pools[generation]?.ages ?? EMPTY;

/** The worker with this id. */
export const findWorker = ({ byId }: Workers, id: WorkerId): Worker | undefined => find(byId, id);

/** All of them, the oldest first. */
export const allWorkers = ({ byId }: Workers): readonly Worker[] => valuesOf(byId);

/** When the first of them has a deadline of its own, CLOCK_MONOTONIC ms; NEVER: none has. */
export const workersDueAt = ({ byId }: Workers): number => earliestOf(byId);

/** Those whose own deadlines have passed. */
export const dueWorkers = ({ byId }: Workers, now: number): readonly Worker[] => valuesDue(byId, now);

/** The ids of workers that one has and the other has not, or not as they are there; what both share costs nothing. */
export const changedWorkers = (before: Workers, after: Workers): readonly WorkerId[] =>
  differences(before.byId, after.byId);

/** The lowest index from 0 that none of them has. */
export const freeIndex = ({ freeIndexes, indexes }: Workers): number => nextId(freeIndexes, 0) ?? indexes;

/** With one worker more, or in the place of the one with its id. `oldAt`: when it is too old; NEVER: that is not asked. */
export const withWorker = (workers: Workers, worker: Worker, oldAt: number): Workers => {
  const before = find(workers.byId, worker.id);
  const byId = withEntry(workers.byId, worker.id, worker, dueAt(worker) ?? NEVER);
  const { counts, pools, freeIndexes, indexes } = workers;
  const to = standingOf(worker);
  if (!before) {
    const pool = entered(pools[worker.generation] ?? noPool(worker.generation), worker, to, oldAt);
    const { processes } = pool;
    return {
      byId,
      counts: counted(counts, worker, to, 1),
      pools: { ...pools, [worker.generation]: { ...pool, processes: processes + 1 } },
      ...withIndex(workers, worker.index),
    };
  }
  const from = standingOf(before);
  if (from === to && isIncoming(before) === isIncoming(worker)) return { byId, counts, pools, freeIndexes, indexes };
  const pool = entered(left(pools[worker.generation] ?? noPool(worker.generation), before, from), worker, to, oldAt);
  return {
    byId,
    counts: counted(counted(counts, before, from, -1), worker, to, 1),
    pools: { ...pools, [worker.generation]: pool },
    freeIndexes,
    indexes,
  };
};

/** Without the worker with this id; its index is free again. */
export const withoutWorker = (workers: Workers, id: WorkerId): Workers => {
  const worker = find(workers.byId, id);
  if (!worker) return workers;
  const from = standingOf(worker);
  return {
    byId: withoutEntry(workers.byId, id),
    counts: counted(workers.counts, worker, from, -1),
    pools: withoutProcess(workers.pools, worker, from),
    freeIndexes: withId(workers.freeIndexes, worker.index),
    indexes: workers.indexes,
  };
};

const counted = (counts: Counts, worker: Worker, standing: Standing, by: 1 | -1): Counts => {
  const next = counts.with(standing, (counts[standing] ?? 0) + by);
  return isIncoming(worker) ? next.with(INCOMING, (next[INCOMING] ?? 0) + by) : next;
};

/** A worker has this standing now. */
const entered = (pool: Pool, { id }: Worker, standing: Standing, oldAt: number): Pool => {
  const ids = pool.living[standing];
  if (!ids) return pool;
  const { generation, processes, living, ages } = pool;
  const isAging = standing === STANDING.available && oldAt !== NEVER;
  return {
    generation,
    processes,
    living: living.with(standing, withId(ids, id)),
    ages: isAging ? withEntry<true>(ages, id, true, oldAt) : ages,
  };
};

/** A worker has this standing no more. */
const left = (pool: Pool, { id }: Worker, standing: Standing): Pool => {
  const ids = pool.living[standing];
  if (!ids) return pool;
  const { generation, processes, living, ages } = pool;
  return {
    generation,
    processes,
    living: living.with(standing, withoutId(ids, id)),
    ages: ages.size === 0 ? ages : withoutEntry(ages, id),
  };
};

/** A generation that has no process has no pool. */
const withoutProcess = (pools: Workers["pools"], worker: Worker, standing: Standing): Workers["pools"] => {
  const { [worker.generation]: pool, ...others } = pools;
  if (!pool || pool.processes === 1) return others;
  return { ...pools, [worker.generation]: { ...left(pool, worker, standing), processes: pool.processes - 1 } };
};

const withIndex = ({ freeIndexes, indexes }: Workers, index: number): Pick<Workers, "freeIndexes" | "indexes"> => {
  if (index < indexes) return { freeIndexes: withoutId(freeIndexes, index), indexes };
  let free = freeIndexes;
  for (let skipped = indexes; skipped < index; skipped++) free = withId(free, skipped);
  return { freeIndexes: free, indexes: index + 1 };
};
