// A deploy as its user sees it: `crankctl run -wait` of a worker that is ready at once, as a whole process.
import { compiledStatically } from "../../test/e2e/harness/apps.ts";
import { CRANKCTL } from "../../test/e2e/harness/bench.ts";
import type { Measurement } from "../measure.ts";
import { besideNode, type Pair, timeBesideNode } from "../resources/whole-process.ts";
import { deploy, untilAwake, withBench } from "../subject.ts";

const PAIRS = 25;

const pairs = (): Promise<readonly Pair[]> =>
  withBench(async (bench) => {
    const worker = [compiledStatically("prompt")];
    const crank = await bench.crank("web", ["-bind", "127.0.0.1:0", "-linger", "60"]);
    await deploy(bench, [], worker);
    await untilAwake(crank);
    const command = [CRANKCTL, "-prefix", bench.directory, "-name", "web", "run", "-wait", "--", ...worker];
    return Array.from({ length: PAIRS }, () => timeBesideNode(command));
  });

export const deployCost: Measurement = {
  name: "deploy-cost",
  measure: async () => besideNode("crankctl run -wait of a worker that is ready at once", await pairs(), 0.17),
};
