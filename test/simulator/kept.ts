// Whether the kept counts of workers equal those that are counted from all workers. For the invariants: counts everything in the plain way.
import { oldAt } from "../../src/core/model/age.ts";
import { earliestOf, NEVER, sizeOf } from "../../src/core/model/id-map.ts";
import { type IdSet, nextId, sizeOf as sizeOfSet } from "../../src/core/model/id-set.ts";
import { dueAt, isIncoming, STANDING, standingOf } from "../../src/core/model/standing.ts";
import type { State } from "../../src/core/model/state.ts";
import type { Worker } from "../../src/core/model/worker.ts";
import {
  allWorkers,
  countIn,
  countIncoming,
  countOf,
  countProcesses,
  countWorkers,
  dueWorkers,
  findPool,
  findWorker,
  freeIndex,
  workersDueAt,
} from "../../src/core/model/workers.ts";

/** The difference; null: none. */
export const whatIsKeptWrongly = ({ workers, generations }: State, now: number): string | null => {
  const all = allWorkers(workers);
  if (all.length !== countWorkers(workers)) return `${countWorkers(workers)} workers, and ${all.length} are there`;
  const lost = all.find(
    (worker, index) => findWorker(workers, worker.id) !== worker || (all[index - 1]?.id ?? 0) >= worker.id,
  );
  if (lost) return `worker ${lost.id} is not in its place`;
  for (const [name, standing] of Object.entries(STANDING)) {
    const there = all.filter((worker) => standingOf(worker) === standing).length;
    if (countOf(workers, standing) !== there)
      return `${countOf(workers, standing)} are kept as ${name}, and ${there} are`;
  }
  if (countIncoming(workers) !== all.filter(isIncoming).length)
    return `${countIncoming(workers)} are said to be incoming`;
  const dues = all.map((worker) => dueAt(worker) ?? NEVER);
  if (workersDueAt(workers) !== Math.min(NEVER, ...dues))
    return `the next is said to be due at ${workersDueAt(workers)}`;
  const due = all.filter((_, index) => (dues[index] ?? NEVER) <= now);
  if (idsOf(dueWorkers(workers, now)) !== idsOf(due)) return `${idsOf(dueWorkers(workers, now))} are said to be due`;
  const indexes = new Set(all.map(({ index }) => index));
  const free = all.findIndex((_, index) => !indexes.has(index));
  if (freeIndex(workers) !== (free < 0 ? all.length : free)) return `index ${freeIndex(workers)} is said to be free`;
  const numbers = [
    ...new Set([...all.map(({ generation }) => generation), ...workers.pools.map(({ generation }) => generation)]),
  ];
  const wrong = numbers.find((number) => !isPoolRight({ workers, generations }, number, all));
  return wrong === undefined ? null : `the pool of generation ${wrong} is kept wrongly`;
};

const isPoolRight = (
  state: Pick<State, "workers" | "generations">,
  number: number,
  all: readonly Worker[],
): boolean => {
  const pool = findPool(state.workers, number);
  const mine = all.filter(({ generation }) => generation === number);
  const available = mine.filter((worker) => standingOf(worker) === STANDING.available);
  const olds = available.map((worker) => oldAt(worker, state.generations[number]?.spec)).filter((at) => at !== NEVER);
  if (pool === undefined || pool.generation !== number || mine.length === 0) return false;
  if (countProcesses(state.workers, number) !== mine.length) return false;
  for (const standing of Object.values(STANDING))
    if (countIn(pool, standing) !== mine.filter((worker) => standingOf(worker) === standing).length) return false;
  if (sizeOf(pool.ages) !== olds.length || earliestOf(pool.ages) !== Math.min(NEVER, ...olds)) return false;
  return pool.living.every(
    (ids, standing) => membersOf(ids) === idsOf(mine.filter((worker) => standingOf(worker) === standing)),
  );
};

const idsOf = (workers: readonly Worker[]): string => workers.map(({ id }) => id).join();

const membersOf = (ids: IdSet): string => {
  const found: number[] = [];
  for (let id = nextId(ids, 0); id !== null; id = nextId(ids, id + 1)) found.push(id);
  return found.length === sizeOfSet(ids) ? found.join() : `${sizeOfSet(ids)} of ${found.join()}`;
};
