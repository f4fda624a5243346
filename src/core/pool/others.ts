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

/** The groups of others, in the order in which they stop. */
export const groupsOfOthers = ({ service, workers: { pools } }: View, wanted: Generation | null): readonly Kinds[] => {
  const unavailable: Kind[] = [];
  const leftover: Kind[] = [];
  const current: Kind[] = [];
  const number = wanted?.number;
  for (let index = 0; index < pools.length; index++) {
    const pool = pools[index] as Pool;
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
    if (counts[available] > 0) addKind(generation === service.current ? current : leftover, pool, available);
  }
  return [unavailable, leftover, current];
};

/** Those of the wanted generation that are not evicted: unavailable workers first. */
export const groupsOfWanted = ({ workers }: View, { number }: Generation): readonly Kinds[] => {
  const first: Kind[] = [];
  const last: Kind[] = [];
  const pool = findPool(workers, number);
  if (pool) {
    addKind(first, pool, starting);
    addKind(first, pool, unproven);
    addKind(last, pool, available);
  }
  return [first, last];
};

const addKind = (kinds: Kind[], { generation, living, counts }: Pool, standing: Standing): void => {
  const ids = living[standing];
  if (ids && counts[standing] > 0) kinds.push({ generation, standing, ids });
};

/**
 * How workers are taken, with what it needs to know. `may`: whether one more worker of a kind may be taken. Once it may
 * not, it never may: each one taken leaves fewer.
 */
export type Taking<Known> = {
  readonly may: (known: Known, kind: Kind) => boolean;
  readonly take: (known: Known, worker: Living, kind: Kind) => void;
};

/** Takes workers group by group, as they are when this is called, while they may be taken. */
export const takeFrom = <Known>(
  { workers }: View,
  groups: readonly Kinds[],
  taking: Taking<Known>,
  known: Known,
): void => {
  for (let index = 0; index < groups.length; index++) {
    const kinds = groups[index] as Kinds;
    const only = kinds[0];
    if (!only) continue;
    if (kinds.length > 1) takeMerged(workers, kinds, taking, known);
    else takeInOrder(workers, only, taking, known);
  }
};

const takeInOrder = <Known>(workers: Workers, kind: Kind, { may, take }: Taking<Known>, known: Known): void => {
  let id: number | null = null;
  while (may(known, kind)) {
    id = id === null ? firstId(kind.ids) : nextId(kind.ids, id + 1);
    if (id === null) return;
    take(known, living(workers, id), kind);
  }
};

const takeMerged = <Known>(workers: Workers, kinds: Kinds, { may, take }: Taking<Known>, known: Known): void => {
  const remaining = kinds.map((kind) => ({ kind, next: nextId(kind.ids, 0) }));
  for (;;) {
    let first: (typeof remaining)[number] | null = null;
    for (const one of remaining) {
      if (one.next !== null && (first?.next == null || one.next < first.next)) first = one;
    }
    if (first?.next == null) return;
    if (!may(known, first.kind)) {
      first.next = null;
      continue;
    }
    take(known, living(workers, first.next), first.kind);
    first.next = nextId(first.kind.ids, first.next + 1);
  }
};

/** The sets of a pool hold only living workers. */
const living = (workers: Workers, id: number): Living => findWorker(workers, id) as Living;
