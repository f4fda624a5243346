// The order in which workers stop that are of other generations or evicted (the others). Workers of one generation and
// standing are of one kind. The rules of a rollout treat a kind alike, so not every worker has to be checked.
import { type IdSet, nextId, sizeOf } from "../model/id-set.ts";
import { STANDING, type Standing } from "../model/standing.ts";
import type { Generation } from "../model/state.ts";
import { countEvicted, findPool, findWorker, type Pool, type Workers } from "../model/workers.ts";
import type { Living } from "../worker/stopping.ts";
import type { View } from "./pool.ts";

/** Kinds that are merged: of their workers the oldest goes first. */
type Kinds = readonly IdSet[];

/**
 * Offers the others to `take` in order, as they are when this is called. After a refusal no other worker of that kind
 * is offered: the condition only gets stricter with each worker taken.
 */
export const takeOthers = (view: View, wanted: Generation | null, take: (worker: Living) => boolean): void => {
  const { workers } = view;
  const kinds = othersOf(view, wanted);
  for (let place = 0; place < kinds.length; place++) takeInOrder(workers, kinds[place] as Kinds, take);
};

/** Whether the condition is true for any of the others. It is the same for all workers of a kind. */
export const someOther = (view: View, wanted: Generation | null, isTrue: (worker: Living) => boolean): boolean =>
  othersOf(view, wanted).some((kinds) => kinds.some((ids) => isTrue(living(view.workers, nextId(ids, 0) ?? 0))));

/** The same for workers of the wanted generation that are not evicted. */
export const takeWanted = ({ workers }: View, { number }: Generation, take: (worker: Living) => boolean): void => {
  const pool = findPool(workers, number);
  if (!pool) return;
  const unavailable: IdSet[] = [];
  addKind(unavailable, pool, STANDING.starting);
  addKind(unavailable, pool, STANDING.unproven);
  const available: IdSet[] = [];
  addKind(available, pool, STANDING.available);
  takeInOrder(workers, unavailable, take);
  takeInOrder(workers, available, take);
};

/** Unavailable workers first; then evicted ones and those of generations not current; then those of the current one. */
const othersOf = ({ service, workers }: View, wanted: Generation | null): readonly Kinds[] => {
  const unavailable: IdSet[] = [];
  const leftover: IdSet[] = [];
  const current: IdSet[] = [];
  const { pools } = workers;
  const areEvicted = countEvicted(workers) > 0;
  const number = wanted?.number;
  for (let place = 0; place < pools.length; place++) {
    const pool = pools[place] as Pool;
    if (areEvicted) {
      addKind(unavailable, pool, STANDING.outgoingEarly);
      addKind(unavailable, pool, STANDING.broken);
      addKind(leftover, pool, STANDING.outgoing);
    }
    if (pool.generation === number) continue;
    addKind(unavailable, pool, STANDING.starting);
    addKind(unavailable, pool, STANDING.unproven);
    addKind(pool.generation === service.current ? current : leftover, pool, STANDING.available);
  }
  return [unavailable, leftover, current];
};

const addKind = (kinds: IdSet[], { living }: Pool, standing: Standing): void => {
  const ids = living[standing];
  if (ids && sizeOf(ids) > 0) kinds.push(ids);
};

const takeInOrder = (workers: Workers, kinds: Kinds, take: (worker: Living) => boolean): void => {
  const only = kinds[0];
  if (!only) return;
  if (kinds.length === 1) {
    for (let id = nextId(only, 0); id !== null; id = nextId(only, id + 1)) if (!take(living(workers, id))) return;
    return;
  }
  const left = kinds.map((ids) => ({ ids, next: nextId(ids, 0) }));
  for (;;) {
    let first: (typeof left)[number] | null = null;
    for (const kind of left) {
      if (kind.next !== null && (first?.next == null || kind.next < first.next)) first = kind;
    }
    if (first?.next == null) return;
    const isTaken = take(living(workers, first.next));
    first.next = isTaken ? nextId(first.ids, first.next + 1) : null;
  }
};

/** The sets of a pool hold only living workers. */
const living = (workers: Workers, id: number): Living => findWorker(workers, id) as Living;
