// crank started → the socket accepts, seen by a small program that starts it and tries to connect.
import { join } from "node:path";
import { compiled } from "../test/e2e/harness/apps.ts";
import { CRANK } from "../test/e2e/harness/service.ts";
import type { Measurement } from "./measure.ts";
import { withBench } from "./subject.ts";

const RUNS = 40;
const NS_PER_MS = 1e6;

const once = (): Promise<number> =>
  withBench(async (bench) => {
    const socket = join(bench.directory, "web.sock");
    const crank = [CRANK, "-prefix", bench.directory, "-name", "web", "-bind", socket];
    const ended = await bench.run([compiled("starter"), socket, ...crank]);
    if (ended.status !== 0) throw new Error(`crank does not accept: ${ended.stderr}`);
    return Number(ended.stdout) / NS_PER_MS;
  });

export const startUp: Measurement = {
  name: "start-up",
  measure: async () => {
    const samples: number[] = [];
    for (let run = 0; run < RUNS; run++) samples.push(await once());
    return [
      { name: "crank started → the socket accepts", unit: "ms", samples, target: { holds: "median", atMost: 25 } },
    ];
  },
};
