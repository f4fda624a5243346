// Connections refused or reset by deploys, with 50 clients that open a connection for every request and 500 long ones. Every
// fifth deploy is followed by one that fails, so that every kind of answer is seen.
import { compiled } from "../../test/e2e/harness/apps.ts";
import { type Bench, portOf, type Running } from "../../test/e2e/harness/bench.ts";
import { Load } from "../../test/e2e/harness/load.ts";
import { supervisorOf } from "../../test/e2e/harness/processes.ts";
import { waitFor } from "../../test/e2e/harness/wait.ts";
import type { Figure, Measurement } from "../measure.ts";
import { deploy, withBench } from "../subject.ts";

const ANEW = 50;
const STAYS = 500;
const KILL_EVERY_MS = 200;
/** The drain time of a worker: long enough that the next deploys begin during it. */
const DRAIN_MS = 1_000;
const FAILING_EVERY = 5;
/** Between two deploys: some of the long connections move on. */
const PAUSE_MS = 250;
/** Makes a deploy last long enough that a supervisor is killed during almost every one. */
const LONGER = ["-min-ready", "0.15"];

type Case = {
  readonly name: string;
  readonly deploys: number;
  readonly flags: readonly string[];
  readonly kills: boolean;
};

const CASES: readonly Case[] = [
  { name: "50 replacements of one worker", deploys: 50, flags: [], kills: false },
  { name: "20 rollouts of a pool of four", deploys: 20, flags: ["-instances", "4"], kills: false },
  { name: "50 replacements, supervisor killed every 200 ms", deploys: 50, flags: LONGER, kills: true },
  {
    name: "20 rollouts of four, supervisor killed every 200 ms",
    deploys: 20,
    flags: ["-instances", "4", ...LONGER],
    kills: true,
  },
];

/** A deploy that must fail, with the right answer. */
const deployInVain = async (bench: Bench): Promise<boolean> => {
  const ended = await bench.ctl("web", "run", "-wait", "--", "/bin/sh", "-c", "exit 3");
  return ended.status === 1 && ended.stderr.includes("xited with ");
};

const run = async (bench: Bench, crank: Running, { deploys, flags }: Case) => {
  const server = (version: number): readonly string[] => [
    compiled("worker"),
    "-drain",
    String(DRAIN_MS),
    `v${version}`,
  ];
  await deploy(bench, flags, server(0));
  const load = new Load({ port: portOf(crank), anew: ANEW, pauseMs: 20, stays: STAYS, talkMs: 1000 });
  await waitFor("the clients that stay", () => load.staying === STAYS);
  let wrong = 0;
  for (let version = 1; version <= deploys; version++) {
    await deploy(bench, [], server(version));
    if (version % FAILING_EVERY === 0 && !(await deployInVain(bench))) wrong += 1;
    await Bun.sleep(PAUSE_MS);
  }
  return { ...(await load.stop()), wrong };
};

/** Kills the supervisor repeatedly until it is stopped, and returns how often. */
const startKilling = (crank: Running): { readonly stop: () => number } => {
  let killed = 0;
  const timer = setInterval(() => {
    const supervisor = supervisorOf(crank);
    if (supervisor === undefined) return;
    process.kill(supervisor, "SIGKILL");
    killed += 1;
  }, KILL_EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return killed;
    },
  };
};

const measureCase = (one: Case): Promise<Figure[]> =>
  withBench(async (bench) => {
    const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
    const killer = one.kills ? startKilling(crank) : null;
    const counts = await run(bench, crank, one).finally(() => killer?.stop());
    const seen = `${counts.answered} requests answered, ${counts.talks} messages, ${counts.drained} sent on`;
    console.error(`  (${one.name}: ${seen}, ${killer?.stop() ?? 0} supervisors killed ${counts.problems.join(", ")})`);
    const count = { unit: "count", target: { holds: "worst", atMost: 0 } } as const;
    return [
      { name: `refused or reset: ${one.name}`, samples: [counts.refused + counts.reset + counts.cut], ...count },
      { name: "… deploys answered wrongly", samples: [counts.wrong], ...count },
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
