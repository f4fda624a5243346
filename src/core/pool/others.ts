// The order in which workers stop that are of other generations or evicted (the others). The rules of a rollout treat
// all workers of a kind alike, so they are asked about kinds, and only workers that stop are looked up.
import { firstId, nextId } from "../model/id-set.ts";
import { STANDING, type Standing } from "../model/standing.ts";
import type { Generation } from "../model/state.ts";
import { findPool, findWorker, type Pool, type Workers } from "../model/workers.ts";
import type { Living } from "../worker/stopping.ts";
import type { Kind, View } from "./pool.ts";

const { starting, unproven, available, outgoing, outgoingEarly, broken } = STANDING;

/** Kinds that are merged: of their workers the oldest goes first. */
type Kinds = readonly Kind[];

/** `may`: whether one more worker of a kind may be taken. Once it may not, it never may: each one taken leaves fewer. */
type Taking = { readonly may: (kind: Kind) => boolean; readonly take: (worker: Living, kind: Kind) => void };

/** Takes others in order, as they are when this is called, while they may be taken. */
export const takeOthers = (view: View, wanted: Generation | null, taking: Taking): void => {
  const { workers } = view;
  const groups = othersOf(view, wanted);
  for (let place = 0; place < groups.length; place++) takeInOrder(workers, groups[place] as Kinds, taking);
};

/** Whether the condition is true for any of the others. */
export const someOther = (view: View, wanted: Generation | null, isTrue: (kind: Kind) => boolean): boolean =>
  othersOf(view, wanted).some((kinds) => kinds.some(isTrue));

/** The same for workers of the wanted generation that are not evicted. */
export const takeWanted = ({ workers }: View, { number }: Generation, taking: Taking): void => {
  const pool = findPool(workers, number);
  if (!pool) return;
  const first: Kind[] = [];
  addKind(first, pool, starting);
  addKind(first, pool, unproven);
  const last: Kind[] = [];
  addKind(last, pool, available);
  takeInOrder(workers, first, taking);
  takeInOrder(workers, last, taking);
};

/** Unavailable workers first; then evicted ones and those of generations not current; then those of the current one. */
const othersOf = ({ service, workers }: View, wanted: Generation | null): readonly Kinds[] => {
  const unavailable: Kind[] = [];
  const leftover: Kind[] = [];
  const current: Kind[] = [];
  const { pools } = workers;
  const number = wanted?.number;
  for (let place = 0; place < pools.length; place++) {
    const pool = pools[place] as Pool;
    const { counts, generation } = pool;
    if (counts[outgoing] + counts[outgoingEarly] + counts[broken] > 0) {
      addKind(unavailable, pool, outgoingEarly);
      addKind(unavailable, pool, broken);
      addKind(leftover, pool, outgoing);
    }
    if (generation === number) continue;
    if (counts[starting] + counts[unproven] > 0) {
      addKind(unavailable, pool, starting);
      addKind(unavailable, pool, unproven);
    }
    addKind(generation === service.current ? current : leftover, pool, available);
  }
  return [unavailable, leftover, current];
};

const addKind = (kinds: Kind[], { generation, living, counts }: Pool, standing: Standing): void => {
  const ids = living[standing];
  if (ids && counts[standing] > 0) kinds.push({ generation, standing, ids });
};

const takeInOrder = (workers: Workers, kinds: Kinds, taking: Taking): void => {
  const only = kinds[0];
  if (!only) return;
  if (kinds.length > 1) return takeMerged(workers, kinds, taking);
  let id: number | null = null;
  while (taking.may(only)) {
    id = id === null ? firstId(only.ids) : nextId(only.ids, id + 1);
    if (id === null) return;
    taking.take(living(workers, id), only);
  }
};

const takeMerged = (workers: Workers, kinds: Kinds, { may, take }: Taking): void => {
  const left = kinds.map((kind) => ({ kind, next: nextId(kind.ids, 0) }));
  for (;;) {
    let first: (typeof left)[number] | null = null;
    for (const one of left) {
      if (one.next !== null && (first?.next == null || one.next < first.next)) first = one;
    }
    if (first?.next == null) return;
    if (!may(first.kind)) {
      first.next = null;
      continue;
    }
    take(living(workers, first.next), first.kind);
    first.next = nextId(first.kind.ids, first.next + 1);
  }
};

/** The sets of a pool hold only living workers. */
const living = (workers: Workers, id: number): Living => findWorker(workers, id) as Living;
