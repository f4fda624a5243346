// Deploys under load: no connection is refused, reset or cut.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { compiled } from "./harness/apps.ts";
import { Load } from "./harness/load.ts";
import { Bench, portOf, type Running, signal, supervisorOf, waitFor } from "./harness/service.ts";

/** Its clients are sent on one after the other, so that a rollout goes on while the last worker still drains. */
const SERVER = [compiled("worker"), "-drain", "500"];

const KILL_EVERY_MS = 200;

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

const deploy = async (version: number, ...flags: string[]): Promise<void> => {
  const ended = await bench.ctl("web", "run", "-wait", ...flags, "--", ...SERVER, `v${version}`);
  expect(ended).toMatchObject({ status: 0, stdout: "Started successfully\n" });
};

/** Deploys under load and says what the clients saw. */
const deployUnderLoad = async (crank: Running, deploys: number, flags: readonly string[]) => {
  await deploy(0, ...flags);
  const load = new Load({ port: portOf(crank), anew: 50, pauseMs: 20, stays: 500, talkMs: 1000 });
  await waitFor("the clients that stay", () => load.staying === 500);
  for (let version = 1; version <= deploys; version++) await deploy(version);
  await waitFor("the clients to be back", () => load.staying === 500);
  return load.stop();
};

describe("50 clients that connect anew and 500 that stay are never refused or reset", () => {
  test("by replacements of one worker", async () => {
    const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
    const counts = await deployUnderLoad(crank, 30, []);
    expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
    expect(counts.answered).toBeGreaterThan(0);
    expect(counts.drained).toBeGreaterThan(0);
  }, 120_000);

  test("by rollouts of a pool of four", async () => {
    const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
    const counts = await deployUnderLoad(crank, 12, ["-instances", "4"]);
    expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
  }, 120_000);

  test("while the supervisor is killed again and again", async () => {
    const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
    let kills = 0;
    const killer = setInterval(() => {
      const supervisor = supervisorOf(crank);
      if (supervisor === undefined) return;
      signal(supervisor, "SIGKILL");
      kills += 1;
    }, KILL_EVERY_MS);
    const counts = await deployUnderLoad(crank, 20, ["-instances", "2"]).finally(() => clearInterval(killer));
    expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
    expect(kills).toBeGreaterThan(1);
  }, 120_000);
});
