// einhorn's clients while its master and its workers are replaced again and again.
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { compiled } from "../harness/apps.ts";
import { Client, Stage } from "../harness/einhorn.ts";
import { Load } from "../harness/load.ts";
import { isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait.ts";

/** This worker sends READY=1, as crank's do. */
const FLAGS = ["-s", "0", "-m", "manual", "-b", "127.0.0.1:0"];
const WORKER = [compiled("worker"), "-drain", "300", "v1"];

const portOf = async (stage: Stage): Promise<number> =>
  Number(/:bound_ports:\n {2}- (\d+)/.exec(await stage.state(/:acked: true/))?.[1]);

test("replacements under load refuse and reset no connection", async () => {
  const stage = new Stage();
  stage.start(["-n", "2", ...FLAGS, ...WORKER]);
  const load = new Load({ port: await portOf(stage), anew: 50, pauseMs: 20, stays: 200, talkMs: 500 });
  try {
    for (let upgrade = 1; upgrade <= 10; upgrade++)
      expect(await stage.sh(upgrade % 2 === 0 ? "upgrade_fleet" : "upgrade")).toEndWith("Upgrade done");
  } finally {
    const counts = await load.stop();
    await stage.clean();
    expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
    expect(counts.drained).toBeGreaterThan(0);
  }
}, 120_000);

test("a hundred upgrades in a row, requested on one connection, leave the master unchanged", async () => {
  const stage = new Stage();
  const master = stage.start([...FLAGS, ...WORKER]);
  const load = new Load({ port: await portOf(stage), anew: 5, pauseMs: 50, stays: 20, talkMs: 500 });
  const client = new Client(stage.socket);
  try {
    const before = { descriptors: 0, kilobytes: 0 };
    for (let upgrade = 1; upgrade <= 100; upgrade++) {
      client.write(`{"command":"upgrade","id":${upgrade}}\n`);
      await client.messages(new RegExp(`Upgrade done%0Arequest_id: ${upgrade}%0A`));
      if (upgrade !== 20) continue;
      await stage.ready(1);
      Object.assign(before, { descriptors: descriptors(master.pid), kilobytes: kilobytes(master.pid) });
    }
    await stage.ready(1);
    await waitFor("no more descriptors than before", () => descriptors(master.pid) <= before.descriptors);
    await waitFor("no more memory than before", () => kilobytes(master.pid) <= before.kilobytes + 300);
    expect(isAlive(master.pid)).toBe(true);
    expect(await stage.sh("state")).toContain(":generation: 100\n");
  } finally {
    client.close();
    const counts = await load.stop();
    await stage.clean();
    expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
  }
}, 300_000);

const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** The keeper's private memory. */
const kilobytes = (pid: number): number =>
  [...readFileSync(`/proc/${pid}/smaps_rollup`, "utf8").matchAll(/^Private_\w+: +(\d+) kB$/gm)].reduce(
    (sum, match) => sum + Number(match[1]),
    0,
  );
