// The index of all workers, compared with a plain implementation.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  differences,
  EMPTY,
  earliestOf,
  find,
  firstDue,
  type IdMap,
  NEVER,
  sizeOf,
  valuesDue,
  valuesOf,
  withEntry,
  withoutEntry,
} from "../../src/core/model/id-map.ts";
import { type IdSet, NO_IDS, nextId, sizeOf as sizeOfSet, withId, withoutId } from "../../src/core/model/id-set.ts";
import { freeze } from "./service.ts";

const RUNS = Number(process.env.CRANK_PROPERTY_RUNS ?? 500);

/** Many ids close to each other, and some far away. */
const ids = fc.oneof(fc.nat(40), fc.nat(40), fc.nat(1100), fc.nat(2 ** 31 - 1));
const changes = fc.array(
  fc.record({ id: ids, isThere: fc.boolean(), dueAt: fc.constantFrom(NEVER, NEVER, 1, 2, 3.5, 100) }),
  { maxLength: 120 },
);

describe("a map by id", () => {
  test("holds what a Map holds, in the order of the ids, and does not change when another is derived from it", () => {
    fc.assert(
      fc.property(changes, (life) => {
        let map: IdMap<string> = EMPTY;
        const model = new Map<number, { readonly value: string; readonly dueAt: number }>();
        for (const [index, { id, isThere, dueAt }] of life.entries()) {
          const before = freeze(map);
          const all = valuesOf(before);
          const held = model.get(id);
          const value = `${id} of ${index}`;
          map = isThere ? withEntry(before, id, value, dueAt) : withoutEntry(before, id);
          if (isThere) model.set(id, { value, dueAt });
          else model.delete(id);
          expect(valuesOf(before)).toEqual(all);
          expect(find(before, id)).toBe(held?.value as string);
          expect(differences(before, map)).toEqual(isThere || held ? [id] : []);
          const entries = [...model].sort(([a], [b]) => a - b);
          expect(sizeOf(map)).toBe(model.size);
          expect(valuesOf(map)).toEqual(entries.map(([, entry]) => entry.value));
          expect(find(map, id)).toBe(model.get(id)?.value as string);
          const earliest = Math.min(NEVER, ...entries.map(([, entry]) => entry.dueAt));
          expect(earliestOf(map)).toBe(earliest);
          const first = entries.find(([, entry]) => entry.dueAt === earliest && earliest !== NEVER);
          expect(firstDue(map)).toBe(first?.[0] ?? null);
          const due = entries.filter(([, entry]) => entry.dueAt <= 2);
          expect(valuesDue(map, 2)).toEqual(due.map(([, entry]) => entry.value));
        }
      }),
      { numRuns: RUNS },
    );
  });

  test("finds the entries in which two maps differ, whatever lies between them", () => {
    fc.assert(
      fc.property(changes, changes, (first, second) => {
        const made = (life: typeof first): IdMap<number> =>
          life.reduce<IdMap<number>>((map, { id, dueAt }) => withEntry(map, id, dueAt, dueAt), EMPTY);
        const [a, b] = [made(first), made(second)];
        const all = [...new Set([...first, ...second].map(({ id }) => id))].sort((left, right) => left - right);
        expect(differences(a, b)).toEqual(all.filter((id) => find(a, id) !== find(b, id)));
      }),
      { numRuns: RUNS },
    );
  });
});

/** Makes all changes of a life, so many per owner; the state between two owners must not change, so it is frozen. */
const made = (life: readonly { id: number; isThere: boolean; dueAt: number }[], together: number) => {
  let map: IdMap<number> = EMPTY;
  let set: IdSet = NO_IDS;
  const model = new Set<number>();
  let owner = {};
  for (const [index, { id, isThere, dueAt }] of life.entries()) {
    if (index % together === 0) {
      owner = {};
      freeze([map, set]);
    }
    map = isThere ? withEntry(map, id, id, dueAt, owner) : withoutEntry(map, id, owner);
    if (isThere !== model.has(id)) set = isThere ? withId(set, id, owner) : withoutId(set, id, owner);
    if (isThere) model.add(id);
    else model.delete(id);
  }
  return { map, set };
};

test("changes made as one have the same result as single changes, and do not modify the previous state", () => {
  fc.assert(
    fc.property(changes, fc.integer({ min: 2, max: 20 }), (life, together) => {
      expect(made(life, together)).toEqual(made(life, 1));
    }),
    { numRuns: RUNS },
  );
});

test("a set of ids holds what a Set holds, in order", () => {
  fc.assert(
    fc.property(changes, ids, (life, from) => {
      let set: IdSet = NO_IDS;
      const model = new Set<number>();
      for (const { id, isThere } of life) {
        if (isThere === model.has(id)) continue;
        const before = freeze(set);
        set = isThere ? withId(before, id) : withoutId(before, id);
        if (isThere) model.add(id);
        else model.delete(id);
        expect(sizeOfSet(set)).toBe(model.size);
      }
      const inOrder = [...model].sort((a, b) => a - b);
      const found: number[] = [];
      for (let id = nextId(set, 0); id !== null; id = nextId(set, id + 1)) found.push(id);
      expect(found).toEqual(inOrder);
      expect(nextId(set, from)).toBe(inOrder.find((id) => id >= from) ?? null);
    }),
    { numRuns: RUNS },
  );
});
