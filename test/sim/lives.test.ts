// Ten thousand whole cranks, each from its seed. By hand, any number: `bun test/sim/run.ts --seeds N --from SEED`.
import { expect, test } from "bun:test";
import { CRANK } from "../../src/commands/crank-front-end.ts";
import type { FrontEnd } from "../../src/supervisor/front-end.ts";
import { tryLife } from "./try-life.ts";
import { CRANK_BY_PLACES, live } from "./world.ts";

const SEEDS = 10_000;
const SEEDS_BY_PLACES = 2000;
const TRACED_LINES = 30;
const TIMEOUT_MS = 900_000;

const liveThem = async (seeds: number, frontEnd: FrontEnd): Promise<void> => {
  for (let seed = 1; seed <= seeds; seed++) {
    const outcome = await tryLife(seed, frontEnd);
    if (outcome.kind === "sound") continue;
    const trace = outcome.trace.slice(-TRACED_LINES).map((line) => line.slice(0, 300));
    throw new Error(`seed ${seed} (${outcome.killing}): ${outcome.message}\n${trace.join("\n")}`);
  }
};

test(
  `killing the supervisor between any two steps changes nothing that a whole crank does, in ${SEEDS} lives`,
  () => liveThem(SEEDS, CRANK),
  TIMEOUT_MS,
);

test(
  `nor where every worker has attempts of its own, in ${SEEDS_BY_PLACES} lives`,
  () => liveThem(SEEDS_BY_PLACES, CRANK_BY_PLACES),
  TIMEOUT_MS,
);

test("the same seed is the same life", async () => {
  expect(await live(42, "anywhere")).toEqual(await live(42, "anywhere"));
});
