// Cranks whose keepers are killed, by hand: `bun test/lives/keepers.ts --seeds N --from SEED`. Prints the seed of a life
// that fails.
import { parseArgs } from "node:util";
import { Broken } from "./crank/life.ts";
import { liveWithDyingKeepers } from "./crank/world.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string", default: "1000" }, from: { type: "string", default: "1" } },
});
const from = Number(values.from);
let kills = 0;
for (let seed = from; seed < from + Number(values.seeds); seed++) {
  try {
    kills += (await liveWithDyingKeepers(seed)).keeperKills;
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    console.log(
      error.trace
        .slice(-60)
        .map((line) => line.slice(0, 300))
        .join("\n"),
    );
    console.log(`seed ${seed} breaks: ${error.message}`);
    process.exit(1);
  }
}
console.log(`${values.seeds} lives from seed ${from}, ${kills} keepers killed: nothing broke`);
