// Deploys under load: no connection is refused, reset or cut.
import { describe, expect, test } from "bun:test";
import { compiled } from "../harness/apps.ts";
import { eachTest } from "../harness/each-test.ts";
import { Load } from "../harness/load.ts";
import { signal, supervisorOf } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

/** Its clients are sent on one by one, so that a rollout continues while the last worker still drains. */
const SERVER = [compiled("worker"), "-drain", "500"];

const KILL_EVERY_MS = 200;

const web = eachTest(new Service());

const deploy = async (version: number, ...flags: string[]): Promise<void> => {
  const ended = await web.run(...flags, "--", ...SERVER, `v${version}`);
  expect(ended).toMatchObject({ status: 0, stdout: expect.stringContaining(" deployed in ") });
};

/** Deploys under load and returns what the clients saw. */
const deployUnderLoad = async (deploys: number, flags: readonly string[]) => {
  await deploy(0, ...flags);
  const load = new Load({ port: web.port, anew: 50, pauseMs: 20, stays: 500, talkMs: 1000 });
  await waitFor("the clients that stay", () => load.staying === 500);
  for (let version = 1; version <= deploys; version++) await deploy(version);
  await waitFor("the clients to be back", () => load.staying === 500);
  return load.stop();
};

describe("50 clients that open a connection for each request and 500 that stay are never refused or reset", () => {
  test("by replacements of one worker", async () => {
    await web.start();
    const counts = await deployUnderLoad(30, []);
    expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
    expect(counts.answered).toBeGreaterThan(0);
    expect(counts.drained).toBeGreaterThan(0);
  }, 120_000);

  test("by rollouts of a pool of four", async () => {
    await web.start();
    const counts = await deployUnderLoad(12, ["-instances", "4"]);
    expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
  }, 120_000);

  test("while the supervisor is killed again and again", async () => {
    const crank = await web.start();
    let kills = 0;
    const killer = setInterval(() => {
      const supervisor = supervisorOf(crank);
      if (supervisor === undefined) return;
      signal(supervisor, "SIGKILL");
      kills += 1;
    }, KILL_EVERY_MS);
    const counts = await deployUnderLoad(20, ["-instances", "2"]).finally(() => clearInterval(killer));
    expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
    expect(kills).toBeGreaterThan(1);
  }, 120_000);
});
