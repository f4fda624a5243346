// `crankctl ps` as a whole process, against `node -e 0` as a whole process, in pairs.
import { CRANKCTL, type Running } from "../test/e2e/harness/service.ts";
import type { Figure, Measurement } from "./measure.ts";
import { buildStopwatch, deploy, STOPWATCH, untilAsleep, untilAwake, withBench } from "./subject.ts";

const PAIRS = 25;

const timed = (command: readonly string[]): number => {
  const started = performance.now();
  const ended = Bun.spawnSync([...command], { stdin: "ignore", stdout: "ignore", stderr: "inherit" });
  if (ended.exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${ended.exitCode}`);
  return performance.now() - started;
};

const pairs = (linger: string, prepare: (crank: Running) => Promise<unknown>): Promise<readonly number[]> =>
  withBench(async (bench) => {
    const crank = await bench.crank("web", ["-bind", "127.0.0.1:0", "-linger", linger]);
    await deploy(bench, [], [STOPWATCH]);
    const samples: number[] = [];
    for (let run = 0; run <= PAIRS; run++) {
      await prepare(crank);
      const ours = timed([CRANKCTL, "-prefix", bench.directory, "-name", "web", "ps"]);
      const theirs = timed(["node", "-e", "0"]);
      // The first pair only warms up.
      if (run > 0) samples.push(ours / theirs);
    }
    return samples;
  });

export const controlCost: Measurement = {
  name: "control-cost",
  measure: async () => {
    buildStopwatch();
    const awake: Figure = {
      name: "crankctl ps ÷ node -e 0, supervisor awake",
      unit: "ratio",
      samples: await pairs("60", untilAwake),
      target: { holds: "median", atMost: 0.25 },
    };
    const asleep: Figure = {
      name: "crankctl ps ÷ node -e 0, supervisor asleep",
      unit: "ratio",
      samples: await pairs("0", untilAsleep),
      target: { holds: "median", atMost: 0.5 },
    };
    return [awake, asleep];
  },
};
