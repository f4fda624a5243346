// Whole cranks by hand: `bun test/lives/run.ts --seeds N --from SEED [--trace]`. Prints the seed of a life that fails.
import { parseArgs } from "node:util";
import { tryLife } from "./try-life.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10000" },
    from: { type: "string", default: "1" },
    trace: { type: "boolean", default: false },
  },
});
const from = Number(values.from);
const seeds = Number(values.seeds);
const startedAt = performance.now();
let kills = 0;
let steps = 0;
for (let seed = from; seed < from + seeds; seed++) {
  const outcome = await tryLife(seed);
  if (outcome.kind === "broken") {
    const lines = values.trace ? outcome.trace : outcome.trace.slice(-40);
    console.log(lines.map((line) => line.slice(0, 400)).join("\n"));
    console.log(`seed ${seed} breaks (${outcome.killing}): ${outcome.message}`);
    console.log(`again: bun test/lives/run.ts --seeds 1 --from ${seed} --trace`);
    process.exit(1);
  }
  kills += outcome.kills;
  steps += outcome.steps;
}
const seconds = (performance.now() - startedAt) / 1000;
console.log(
  `${seeds} lives from seed ${from}: ${steps} steps, the supervisor killed ${kills} times, ${seconds.toFixed(1)} s: nothing broke`,
);
