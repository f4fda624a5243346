import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Load } from "./harness/load.ts";
import { Bench, descendants, portOf, ROOT, type Running, waitFor } from "./harness/service.ts";

const SERVER = join(ROOT, "test/apps/server.py");

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

const deploy = async (version: number, ...flags: string[]): Promise<void> => {
  const ended = await bench.ctl("web", "run", "-wait", ...flags, "--", "python3", SERVER, `v${version}`);
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
    const counts = await deployUnderLoad(crank, 10, []);
    expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
    expect(counts.answered).toBeGreaterThan(0);
    expect(counts.drained).toBeGreaterThan(0);
  }, 120_000);

  test("by rollouts of a pool of four", async () => {
    const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
    const counts = await deployUnderLoad(crank, 4, ["-instances", "4"]);
    expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
  }, 120_000);

  test("while the supervisor is killed every 200 ms", async () => {
    const crank = await bench.crank("web", ["-bind", "127.0.0.1:0"]);
    let kills = 0;
    const killer = setInterval(() => {
      const supervisor = descendants(crank.pid).find((pid) => isSupervisor(crank, pid));
      if (supervisor === undefined) return;
      process.kill(supervisor, "SIGKILL");
      kills += 1;
    }, 200);
    const counts = await deployUnderLoad(crank, 5, ["-instances", "2"]).finally(() => clearInterval(killer));
    expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
    expect(kills).toBeGreaterThan(3);
  }, 120_000);
});

const isSupervisor = (crank: Running, pid: number): boolean => {
  const { stdout } = Bun.spawnSync(["cat", `/proc/${pid}/cmdline`]);
  return pid !== crank.pid && stdout.toString().includes("-bind");
};
