// Connections refused or reset by deploys, under 50 clients that connect anew for every request and 500 that stay.
import { Load } from "../test/e2e/harness/load.ts";
import { type Bench, portOf, type Running, supervisorOf, waitFor } from "../test/e2e/harness/service.ts";
import type { Figure, Measurement } from "./measure.ts";
import { deploy, SERVER, withBench } from "./subject.ts";

const STAYS = 500;
const KILL_EVERY_MS = 200;

const run = async (bench: Bench, crank: Running, deploys: number, flags: readonly string[]) => {
  await deploy(bench, flags, ["python3", SERVER, "v0"]);
  const load = new Load({ port: portOf(crank), anew: 50, pauseMs: 20, stays: STAYS, talkMs: 1000 });
  await waitFor("the clients that stay", () => load.staying === STAYS);
  for (let version = 1; version <= deploys; version++) await deploy(bench, [], ["python3", SERVER, `v${version}`]);
  return load.stop();
};

type Case = {
  readonly name: string;
  readonly deploys: number;
  readonly flags: readonly string[];
  readonly kills: boolean;
};

const CASES: readonly Case[] = [
  { name: "50 replacements of one worker", deploys: 50, flags: [], kills: false },
  { name: "20 rollouts of a pool of four", deploys: 20, flags: ["-instances", "4"], kills: false },
  { name: "50 replacements, supervisor killed every 200 ms", deploys: 50, flags: [], kills: true },
  { name: "20 rollouts of four, supervisor killed every 200 ms", deploys: 20, flags: ["-instances", "4"], kills: true },
];

const measureCase = ({ name, deploys, flags, kills }: Case): Promise<Figure[]> =>
  withBench(async (bench) => {
    const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
    let killed = 0;
    const killer = kills
      ? setInterval(() => {
          const supervisor = supervisorOf(crank);
          if (supervisor === undefined) return;
          process.kill(supervisor, "SIGKILL");
          killed += 1;
        }, KILL_EVERY_MS)
      : undefined;
    const counts = await run(bench, crank, deploys, flags).finally(() => clearInterval(killer));
    console.error(
      `  (${name}: ${counts.answered} requests answered, ${counts.talks} talks, ${counts.drained} drained, ${killed} supervisors killed ${counts.problems.join(", ")})`,
    );
    return [
      {
        name: `refused, reset or cut: ${name}`,
        unit: "count",
        samples: [counts.refused + counts.reset + counts.cut],
        target: { holds: "worst", atMost: 0 },
      },
    ];
  });

export const connections: Measurement = {
  name: "connections",
  measure: async () => {
    const figures: Figure[] = [];
    for (const one of CASES) figures.push(...(await measureCase(one)));
    return figures;
  },
};
