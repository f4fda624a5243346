// All workers of a service, with what is asked of them all at every event kept rather than counted: how many there are of
// each standing, who is due next, which index is free. Never changed: a change makes another value, which shares the rest.
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
export const countWorkers = ({ byId }: Workers): number => sizeOf(byId);

/** How many have this standing. */
export const countOf = ({ counts }: Workers, standing: Standing): number => counts[standing] ?? 0;

/** How many are dismissed and have not been told to go yet. */
export const countDismissed = ({ counts }: Workers): number =>
  (counts[STANDING.outgoing] ?? 0) + (counts[STANDING.outgoingEarly] ?? 0) + (counts[STANDING.broken] ?? 0);

/** How many were started in the places of others that were dismissed, and are not available yet. */
export const countIncoming = ({ counts }: Workers): number => counts[INCOMING] ?? 0;

/** How many of a generation have this standing, which is one of those that live. */
export const countIn = ({ pools }: Workers, generation: GenerationNumber, standing: Standing): number =>
  sizeOfSet(pools[generation]?.living[standing] ?? NO_IDS);

/** How many of a generation are ready, whatever else they are. */
export const countReady = ({ pools }: Workers, generation: GenerationNumber): number => {
  const living = pools[generation]?.living ?? [];
  return living.reduce((ready, ids, standing) => (standing === STANDING.starting ? ready : ready + sizeOfSet(ids)), 0);
};

/** How many processes of a generation there are. */
export const countProcesses = ({ pools }: Workers, generation: GenerationNumber): number =>
  pools[generation]?.processes ?? 0;

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
  const { counts, pools, freeIndexes, indexes } = workers;
  const { id, generation, index } = worker;
  const before = find(workers.byId, id);
  const byId = withEntry(workers.byId, id, worker, dueAt(worker) ?? NEVER);
  const to = standingOf(worker);
  const pool = pools[generation] ?? noPool(generation);
  if (before === undefined)
    return {
      byId,
      counts: counted(counts, worker, to, 1),
      pools: { ...pools, [generation]: withStanding(pool, id, NOWHERE, to, 1, oldAt) },
      freeIndexes: index < indexes ? withoutId(freeIndexes, index) : withIds(freeIndexes, indexes, index),
      indexes: Math.max(indexes, index + 1),
    };
  const from = standingOf(before);
  if (from === to && isIncoming(before) === isIncoming(worker)) return { byId, counts, pools, freeIndexes, indexes };
  return {
    byId,
    counts: counted(counted(counts, before, from, -1), worker, to, 1),
    pools: { ...pools, [generation]: withStanding(pool, id, from, to, 0, oldAt) },
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

/** The standing of one that is not there. */
const NOWHERE = -1;

/** The pool after a worker has changed its standing, with `more` processes. */
const withStanding = (
  pool: Pool,
  id: WorkerId,
  from: Standing | typeof NOWHERE,
  to: Standing | typeof NOWHERE,
  more: number,
  oldAt: number,
): Pool => {
  let { living, ages } = pool;
  const left = living[from];
  if (left) living = living.with(from, withoutId(left, id));
  const entered = living[to];
  if (entered) living = living.with(to, withId(entered, id));
  if (to === STANDING.available && oldAt !== NEVER) ages = withEntry<true>(ages, id, true, oldAt);
  else if (ages !== EMPTY) ages = withoutEntry(ages, id);
  return { generation: pool.generation, processes: pool.processes + more, living, ages };
};

/** A generation that has no process has no pool. */
const withoutProcess = (pools: Workers["pools"], { id, generation }: Worker, from: Standing): Workers["pools"] => {
  const pool = pools[generation];
  if (pool && pool.processes > 1) return { ...pools, [generation]: withStanding(pool, id, from, NOWHERE, -1, NEVER) };
  const { [generation]: _, ...others } = pools;
  return others;
};

const withIds = (ids: IdSet, from: number, below: number): IdSet => {
  let all = ids;
  for (let id = from; id < below; id++) all = withId(all, id);
  return all;
};
