// From the start of crank until its socket accepts, measured by a small program that starts it and connects.
import { join } from "node:path";
import { CRANK } from "../../test/e2e/harness/bench.ts";
import type { Measurement } from "../measure.ts";
import { withBench } from "../subject.ts";
import { besideNode, type Pair, timeToAccept } from "./whole-process.ts";

const RUNS = 40;

const once = (): Promise<Pair> =>
  withBench(async ({ directory }) => {
    const socket = join(directory, "web.sock");
    return timeToAccept(socket, [CRANK, "-prefix", directory, "-name", "web", "-bind", socket]);
  });

export const startUp: Measurement = {
  name: "start-up",
  measure: async () => {
    const pairs: Pair[] = [];
    for (let run = 0; run < RUNS; run++) pairs.push(await once());
    return besideNode("crank started → the socket accepts", pairs, 0.12);
  },
};
