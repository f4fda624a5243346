// einhorn's upgrades from outside.
import { describe, expect } from "bun:test";
import type { Running } from "../harness/bench.ts";
import { scene, WORKER } from "../harness/einhorn.ts";
import { isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait.ts";

describe("an upgrade", () => {
  for (const [command, first] of [
    ["upgrade", "Upgrading smoothly, as commanded"],
    ["upgrade_fleet", "Upgrading fleet, as commanded"],
  ] as const)
    scene(`by ${command} replaces all workers and reports its progress`, async (stage) => {
      const master = stage.master(["-n", "2"]);
      const before = await stage.ready(2);
      const lines = (await stage.sh(command)).split("\n");
      expect([lines[0], lines.at(-1)]).toEqual([first, "Upgrade done"]);
      await waitFor("the end of the old", () => before.every((pid) => !isAlive(pid)));
      const after = await stage.ready(2);
      expect(after.some((pid) => before.includes(pid))).toBe(false);
      for (const pid of before) await master.wrote("stdout", `${pid} got SIGUSR2`);
    });

  scene("is followed by SIGKILL for old workers after the time of -t", async (stage) => {
    const master = stage.master(["-t", "0.2"], "v1", "deaf");
    const [pid = 0] = await stage.ready(1);
    expect(await stage.sh("upgrade")).toEndWith("Upgrade done");
    await waitFor("the worker's end", () => !isAlive(pid));
    await master.wrote("stdout", `${pid} got SIGUSR2`);
    await waitFor("SIGKILL in the log", () => / Stopping worker 1 .* with SIGKILL/.test(master.stderr()));
  });

  // The log lists starts and ends in the order in which they were decided.
  const most = (log: string, one: RegExp, less: RegExp, from = 0): number => {
    let [count, highest] = [from, 0];
    for (const line of log.split("\n")) {
      if (one.test(line)) count += 1;
      if (less.test(line)) count -= 1;
      highest = Math.max(highest, count);
    }
    return highest;
  };

  /** Waits until the log has it this many times. */
  const told = (master: Running, what: RegExp, times: number): Promise<true> =>
    waitFor(`${times} times ${what}`, () => (master.stderr().match(what)?.length ?? 0) >= times);

  scene("has no more starting workers at a time than --max-unacked", async (stage) => {
    const master = stage.master(["-v", "-n", "4", "-s", "0.01", "--max-unacked", "1"], "v1", "slow=0.1");
    await stage.ready(4);
    await told(master, / is ready/gi, 4);
    const first = master.stderr().length;
    expect(most(master.stderr(), / Starting worker/, /worker \d+ .* is ready/i)).toBe(4);
    expect(await stage.sh("upgrade")).toEndWith("Upgrade done");
    await told(master, / is ready/gi, 8);
    expect(most(master.stderr().slice(first), / Starting worker/, /worker \d+ .* is ready/i)).toBe(1);
  });

  scene("has no more workers above the number than --max-upgrade-additional", async (stage) => {
    const master = stage.master(["-v", "-n", "3", "-s", "0.01", "--max-upgrade-additional", "1"], "v1", "slow=0.1");
    await stage.ready(3);
    expect(await stage.sh("upgrade")).toEndWith("Upgrade done");
    await told(master, / Stopping worker/g, 3);
    expect(most(master.stderr(), / Starting worker/, / Stopping worker/)).toBe(4);
  });

  scene("without --max-upgrade-additional is limited by the pace alone", async (stage) => {
    const master = stage.master(["-v", "-n", "3", "-s", "0.01", "--max-unacked", "3"], "v1", "slow=2");
    await stage.ready(3);
    expect(await stage.sh("upgrade")).toEndWith("Upgrade done");
    await told(master, / Stopping worker/g, 3);
    expect(most(master.stderr(), / Starting worker/, / Stopping worker/)).toBe(6);
  });

  scene("removes what --drop-env-var names from the environment of later workers", async (stage) => {
    const args = ["-m", "manual", "--drop-env-var", "TEST_SECRET", "python3", WORKER, "v1", "ack", "environment"];
    const master = stage.start(args, { TEST_SECRET: "x" });
    await stage.ready(1);
    master.signal("SIGHUP");
    await waitFor("two environments", () => master.stdout().match(/^\{.*\}$/gm)?.length === 2);
    const [first, second] = [...master.stdout().matchAll(/^\{.*\}$/gm)].map(([json]) => JSON.parse(json));
    expect([first.TEST_SECRET, second.TEST_SECRET]).toEqual(["x", undefined]);
  });
});
