// crank started → the socket accepts.
import { join } from "node:path";
import { CRANK } from "../test/e2e/harness/service.ts";
import type { Measurement } from "./measure.ts";
import { withBench } from "./subject.ts";

const RUNS = 25;
const PATIENCE_MS = 10_000;

/** Whether somebody accepts on this unix socket now. */
const accepts = async (path: string): Promise<boolean> => {
  try {
    const socket = await Bun.connect({ unix: path, socket: { data: () => {}, connectError: () => {} } });
    socket.terminate();
    return true;
  } catch {
    return false;
  }
};

const once = (): Promise<number> =>
  withBench(async (bench) => {
    const path = join(bench.directory, "web.sock");
    const started = performance.now();
    bench.start([CRANK, "-prefix", bench.directory, "-name", "web", "-bind", path]);
    while (!(await accepts(path)))
      if (performance.now() - started > PATIENCE_MS) throw new Error("crank does not accept");
    return performance.now() - started;
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
