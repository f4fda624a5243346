// In which order workers go that are not wanted any more: of other generations, or evicted. Workers of one generation and
// standing are of one kind, and the rules of a rollout say the same of all of a kind; so not each of them has to be looked at.
import { type IdSet, nextId, sizeOf } from "../model/id-set.ts";
import { STANDING, type Standing } from "../model/standing.ts";
import type { Generation } from "../model/state.ts";
import { countEvicted, findPool, findWorker, type Pool, type Workers } from "../model/workers.ts";
import type { Living } from "../worker/stopping.ts";
import type { View } from "./pool.ts";

/** Some kinds: of their workers the oldest goes first. */
type Kinds = readonly IdSet[];

/**
 * Offers the others to `take`, in their order, as they are when this is called. Of a kind of which one is not taken no other
 * is offered: what is asked gets only stricter with each that is taken.
 */
export const takeOthers = (view: View, wanted: Generation | null, take: (worker: Living) => boolean): void => {
  const { workers } = view;
  const kinds = othersOf(view, wanted);
  for (let place = 0; place < kinds.length; place++) takeInOrder(workers, kinds[place] as Kinds, take);
};

/** Whether it is true for one of the others, and so for all of its kind. */
export const someOther = (view: View, wanted: Generation | null, isTrue: (worker: Living) => boolean): boolean =>
  othersOf(view, wanted).some((kinds) => kinds.some((ids) => isTrue(living(view.workers, nextId(ids, 0) ?? 0))));

/** Offers those of the wanted generation that are not evicted, likewise. */
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

/** Those that are not available first; then what neither is nor stays current; then the rest. */
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

/** Only those that live are in pools by their standing. */
const living = (workers: Workers, id: number): Living => findWorker(workers, id) as Living;
