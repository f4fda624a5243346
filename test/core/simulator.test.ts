// Whole lives of the core, each from its seed. To run any number: `bun test/lives/core/run.ts --seeds N --from SEED`.
import { expect, test } from "bun:test";
import { Broken, describeTrace, simulate } from "../lives/core/world.ts";
import { livesToLive } from "../lives/lives-count.ts";

const SEEDS = livesToLive(2000);
const TRACED_STEPS = 30;
const TIMEOUT_MS = 600_000;

test(
  `no invariant breaks in ${SEEDS} lives, with the supervisor killed between any two steps`,
  () => {
    for (let seed = 1; seed <= SEEDS; seed++) expect(breakage(seed)).toBeNull();
  },
  TIMEOUT_MS,
);

test("the same seed gives the same life", () => {
  expect(describeTrace(simulate(42).trace)).toBe(describeTrace(simulate(42).trace));
});

const breakage = (seed: number): string | null => {
  try {
    simulate(seed);
    return null;
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    return `seed ${seed}: ${error.message}\n${describeTrace(error.trace.slice(-TRACED_STEPS))}`;
  }
};
