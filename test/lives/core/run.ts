// Simulated lives by hand: `bun test/lives/core/run.ts --seeds N --from SEED [--trace]`. Prints the seed of a life that
// fails.
import { parseArgs } from "node:util";
import { Broken, describeTrace, simulate } from "./world.ts";

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
let steps = 0;
for (let seed = from; seed < from + seeds; seed++) {
  try {
    const life = simulate(seed);
    steps += life.trace.length;
    if (values.trace) console.log(describeTrace(life.trace));
  } catch (error) {
    if (error instanceof Broken) console.log(describeTrace(error.trace.slice(values.trace ? 0 : -30)));
    console.log(`seed ${seed} breaks: ${error instanceof Error ? error.message : error}`);
    console.log(`again: bun test/lives/core/run.ts --seeds 1 --from ${seed} --trace`);
    process.exit(1);
  }
}
const seconds = (performance.now() - startedAt) / 1000;
console.log(`${seeds} lives from seed ${from}, ${steps} steps, ${seconds.toFixed(1)} s: nothing broke`);
