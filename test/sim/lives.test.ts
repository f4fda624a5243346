// Ten thousand whole cranks, each from its seed. By hand, any number: `bun test/sim/run.ts --seeds N --from SEED`.
import { expect, test } from "bun:test";
import { tryLife } from "./try-life.ts";
import { live } from "./world.ts";

const SEEDS = 10_000;
const TRACED_LINES = 30;
const TIMEOUT_MS = 900_000;

test(
  `killing the supervisor between any two steps changes nothing that a whole crank does, in ${SEEDS} lives`,
  async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = await tryLife(seed);
      if (outcome.kind === "sound") continue;
      const trace = outcome.trace.slice(-TRACED_LINES).map((line) => line.slice(0, 300));
      throw new Error(`seed ${seed} (${outcome.killing}): ${outcome.message}\n${trace.join("\n")}`);
    }
  },
  TIMEOUT_MS,
);

test("the same seed is the same life", async () => {
  expect(await live(42, "anywhere")).toEqual(await live(42, "anywhere"));
});
