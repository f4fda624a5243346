// `crankctl ps` as a whole process, against `node -e 0` as a whole process, in pairs.
import { CRANKCTL, type Running } from "../../test/e2e/harness/bench.ts";
import type { Measurement } from "../measure.ts";
import { besideNode, type Pair, timeBesideNode } from "../resources/whole-process.ts";
import { deploy, STOPWATCH, untilAsleep, untilAwake, withBench } from "../subject.ts";

const PAIRS = 25;

const pairs = (linger: string, prepare: (crank: Running) => Promise<unknown>): Promise<readonly Pair[]> =>
  withBench(async (bench) => {
    const crank = await bench.crank("web", ["-bind", "127.0.0.1:0", "-linger", linger]);
    await deploy(bench, [], [STOPWATCH]);
    const samples: Pair[] = [];
    for (let run = 0; run <= PAIRS; run++) {
      await prepare(crank);
      const pair = timeBesideNode([CRANKCTL, "-prefix", bench.directory, "-name", "web", "ps"]);
      // The first pair only warms up.
      if (run > 0) samples.push(pair);
    }
    return samples;
  });

export const controlCost: Measurement = {
  name: "control-cost",
  measure: async () => {
    return [
      ...besideNode("crankctl ps, supervisor awake", await pairs("60", untilAwake), 0.07),
      ...besideNode("crankctl ps, supervisor asleep", await pairs("0", untilAsleep), 0.14),
    ];
  },
};
