// The cost of one event in the core on the engine, in fleets of several sizes: an event about one worker must cost the same in all.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BUILD } from "../../test/e2e/harness/bench.ts";
import { type Figure, type Measurement, summarize } from "../measure.ts";
import { FLEETS, type Sample } from "./core-events.ts";

const NAME = "build/engine/core-events";

const bundle = async (): Promise<void> => {
  const built = await Bun.build({
    entrypoints: [join(BUILD, "bench/core/core-events-on-engine.ts")],
    target: "browser",
    format: "esm",
    conditions: ["engine"],
    minify: { syntax: true, whitespace: false, identifiers: false },
  });
  const [output] = built.outputs;
  if (!output) throw new Error("the core's events cannot be bundled");
  mkdirSync(join(BUILD, "build/engine"), { recursive: true });
  writeFileSync(join(BUILD, `${NAME}.mjs`), await output.text());
};

const run = (command: string, args: readonly string[]): string => {
  const ended = spawnSync(command, args, { cwd: BUILD, encoding: "utf8" });
  if (ended.status !== 0) throw new Error(`${command} ${args.join(" ")} failed: ${ended.stdout}${ended.stderr}`);
  return ended.stdout;
};

const medianOf = (samples: readonly Sample[], event: string, workers: number): number =>
  summarize(samples.find((sample) => sample.event === event && sample.workers === workers)?.micros ?? []).median;

export const core: Measurement = {
  name: "core",
  measure: async () => {
    await bundle();
    run("make", ["--no-print-directory", `${NAME}.image`]);
    // Printed by measureEvents.
    const samples = JSON.parse(run("build/engine/build", ["run", "mapped", `${NAME}.image`])) as Sample[];
    const costs = samples.map(
      ({ event, workers, micros }): Figure => ({
        name: `core on the engine, ${event}: ${workers === 1 ? "1 worker" : `${workers} workers`}`,
        unit: "µs",
        samples: micros,
        target: { holds: "median", atMost: 30 },
      }),
    );
    const [fewest, most] = [FLEETS[0], FLEETS[FLEETS.length - 1] ?? 0];
    const ratios = [...new Set(samples.map(({ event }) => event))].map(
      (event): Figure => ({
        name: `core on the engine, ${event}: ${most} workers ÷ ${fewest}`,
        unit: "ratio",
        samples: [medianOf(samples, event, most) / medianOf(samples, event, fewest)],
        target: { holds: "median", atMost: 1.5 },
      }),
    );
    return [...costs, ...ratios];
  },
};
