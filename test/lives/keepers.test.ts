// Keepers and their supervisors are killed at any moment, also within a batch, and the next crank adopts what is left.
// By hand, any number: `bun test/lives/keepers.ts --seeds N --from SEED`.
import { expect, test } from "bun:test";
import { Broken } from "./crank/life.ts";
import { liveWithDyingKeepers } from "./crank/world.ts";
import { livesToLive } from "./lives-count.ts";

const SEEDS = livesToLive(160);
const TRACED_LINES = 30;
const TIMEOUT_MS = 900_000;

test(
  `no keeper that is killed leaves a worker unknown, a rollout unfinished or a question unanswered, in ${SEEDS} lives`,
  async () => {
    let kills = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        kills += (await liveWithDyingKeepers(seed)).keeperKills;
      } catch (error) {
        if (!(error instanceof Broken)) throw error;
        const trace = error.trace.slice(-TRACED_LINES).map((line) => line.slice(0, 300));
        throw new Error(`seed ${seed}: ${error.message}\n${trace.join("\n")}`);
      }
    }
    expect(kills).toBeGreaterThan(SEEDS);
  },
  TIMEOUT_MS,
);

test("the same seed gives the same life", async () => {
  expect(await liveWithDyingKeepers(42)).toEqual(await liveWithDyingKeepers(42));
});
