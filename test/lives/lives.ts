// Whole cranks, each from a seed, in parts for one test file each. test/core/simulator.test.ts runs more lives, of the
// core alone. By hand, any number: `bun test/lives/run.ts --seeds N --from SEED`.
import { test } from "bun:test";
import { livesToLive } from "./lives-count.ts";
import { tryLife } from "./try-life.ts";

const PARTS = 3;
const SEEDS = PARTS * livesToLive(200);
const TRACED_LINES = 30;
const TIMEOUT_MS = 900_000;

/** Defines the test of one part, 1 … 3: every third seed. */
export const testLives = (part: number): void => {
  test(
    `killing the supervisor between any two steps changes nothing that a whole crank does, in ${SEEDS / PARTS} lives`,
    async () => {
      for (let seed = part; seed <= SEEDS; seed += PARTS) {
        const outcome = await tryLife(seed);
        if (outcome.kind === "sound") continue;
        const trace = outcome.trace.slice(-TRACED_LINES).map((line) => line.slice(0, 300));
        throw new Error(`seed ${seed} (${outcome.killing}): ${outcome.message}\n${trace.join("\n")}`);
      }
    },
    TIMEOUT_MS,
  );
};
