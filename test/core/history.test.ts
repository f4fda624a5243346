// The history of good runs: how it is built, and how two sources are merged.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { historyOf, isSameHistory, mergeHistories, numberAfter, withGood } from "../../src/core/model/history.ts";
import { type GoodSpec, HISTORY_LENGTH, isSameSpec, type Spec } from "../../src/core/model/spec.ts";
import { SPEC } from "./spec.ts";

const RUNS = Number(process.env.CRANK_PROPERTY_RUNS ?? 2000);

const run = (generation: number, word = `v${generation}`): GoodSpec => ({
  generation,
  at: generation,
  spec: { ...SPEC, command: [word] },
});
const words = (history: readonly GoodSpec[]): string[] =>
  history.map(({ generation, spec }) => `${generation}:${spec.command[0]}`);

const entries = fc.array(
  fc
    .record({ generation: fc.integer({ min: 0, max: 30 }), word: fc.constantFrom("a", "b", "c", "d") })
    .map(({ generation, word }) => run(generation, word)),
  { maxLength: 40 },
);

const isOrderly = (history: readonly GoodSpec[]): boolean =>
  history.length <= HISTORY_LENGTH &&
  history.every((good, index) => {
    const before = history[index - 1];
    return !before || (before.generation < good.generation && !isSameSpec(before.spec, good.spec));
  });

describe("a history", () => {
  test("of any entries has at most ten unique numbers in order, and building it again changes nothing", () => {
    fc.assert(
      fc.property(entries, (given) => {
        const history = historyOf(given);
        expect(isOrderly(history)).toBe(true);
        expect(historyOf(history)).toEqual(history);
        expect(numberAfter(given)).toBeGreaterThan(Math.max(-1, ...given.map(({ generation }) => generation)));
      }),
      { numRuns: RUNS },
    );
  });

  test("keeps the last ten runs", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c")), (deploys) => {
        const history = deploys.reduce(
          (known, word, index) => withGood(known, run(index + 1, word)),
          [] as readonly GoodSpec[],
        );
        expect(isOrderly(history)).toBe(true);
        expect(history.at(-1)?.generation ?? 0).toBe(deploys.length);
      }),
      { numRuns: RUNS },
    );
  });
});

describe("a journal and a record", () => {
  test("that are equal merge to the same history, however often", () => {
    fc.assert(
      fc.property(entries, (given) => {
        const history = historyOf(given);
        const merged = mergeHistories(history, history, false);
        expect(merged).toEqual({ history, leftOut: [] });
        expect(mergeHistories(merged.history, history, true)).toEqual({ history, leftOut: [] });
      }),
      { numRuns: RUNS },
    );
  });

  test("with the record still to be written merge to the journal", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1 }), (deploys) => {
        const histories: (readonly GoodSpec[])[] = [[]];
        for (const [index, word] of deploys.entries())
          histories.push(withGood(histories.at(-1) ?? [], run(index + 1, word)));
        const [journal = [], record = []] = [histories.at(-1), histories.at(-2)];
        expect(words(mergeHistories(journal, record, false).history)).toEqual(words(journal));
      }),
      { numRuns: RUNS },
    );
  });

  test("merge to an ordered history whatever they hold, without changing the journal's runs", () => {
    fc.assert(
      fc.property(entries, entries, fc.boolean(), (left, right, isForeign) => {
        const [journal, record] = [historyOf(left), historyOf(right)];
        const { history, leftOut } = mergeHistories(journal, record, isForeign);
        expect(isOrderly(history)).toBe(true);
        for (const good of history) expect([...journal, ...record]).toContainEqual(good);
        for (const good of journal) {
          const kept = history.find(({ generation }) => generation === good.generation);
          if (kept) expect(kept.spec).toBe(good.spec);
        }
        for (const { generation } of leftOut)
          expect(history.filter((good) => record.includes(good) && good.generation === generation)).toEqual([]);
        if (isForeign && journal.length > 0) expect(history.at(-1)?.generation).toBe(journal.at(-1)?.generation);
      }),
      { numRuns: RUNS },
    );
  });

  test("with a newer record merge to its newest runs", () => {
    const merged = mergeHistories([run(1), run(2)], [run(1), run(2), run(3)], false);
    expect(words(merged.history)).toEqual(["1:v1", "2:v2", "3:v3"]);
  });

  test("with different runs of one number keep the journal's and report the other", () => {
    const merged = mergeHistories([run(1), run(2)], [run(1), run(2, "other"), run(7)], true);
    expect(words(merged.history)).toEqual(["1:v1", "2:v2"]);
    expect(words(merged.leftOut)).toEqual(["2:other", "7:v7"]);
  });
});

test("two histories are equal only if all runs are", () => {
  expect(isSameHistory([run(1)], [run(1)])).toBe(true);
  expect(isSameHistory([run(1)], [run(1, "other")])).toBe(false);
  expect(isSameHistory([run(1)], [run(1), run(2)])).toBe(false);
  expect(isSameHistory([run(1)], [{ ...run(1), at: 99 }])).toBe(false);
});

test("specs are equal if all members are, whatever the names of the environment's variables", () => {
  const withEnv = (env: string): Spec => ({ ...run(1).spec, env: JSON.parse(env) });
  const same = (a: string, b: string): boolean => isSameSpec(withEnv(a), withEnv(b));
  expect(same('{"A":"1","B":"2"}', '{"B":"2","A":"1"}')).toBe(true);
  expect(same('{"A":"1"}', '{"A":"1","B":"2"}')).toBe(false);
  expect(same('{"A":"1","B":"2"}', '{"A":"1"}')).toBe(false);
  expect(same('{"A":"1"}', '{"B":"1"}')).toBe(false);
  expect(same('{"constructor":"1"}', '{"toString":"1"}')).toBe(false);
  expect(same('{"__proto__":"1"}', '{"__proto__":"1"}')).toBe(true);
  expect(same('{"__proto__":"1"}', '{"A":"1"}')).toBe(false);
});
