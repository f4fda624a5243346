// The connections that workers hold, as status shows them: counted exactly, checked against what workers and clients know.
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { Status, WorkerInfo } from "../../../src/control/messages.ts";
import { ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { descendants } from "../harness/processes.ts";
import { HOLDER } from "../harness/python-apps.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const CROWD = join(ROOT, "test/apps/crowd.py");
/** For 50,000 connections to be established. */
const CROWD_MS = 120_000;

const web = eachTest(new Service());
const clients: Socket[] = [];
web.atEnd(() => {
  for (const client of clients.splice(0)) client.destroy();
});

/** Deploys the holder with this many children, each of which accepts this many connections. */
const run = (flags: readonly string[], children = 0, most = 1_000_000): Promise<void> =>
  web.deploy("-env", `HOLDER_DIR=${web.directory}`, ...flags, "--", ...HOLDER, String(children), String(most));

const visit = async (target: { port: number; host: string } | { path: string }): Promise<void> => {
  const client = connect(target);
  clients.push(client);
  await new Promise((resolve, reject) => client.once("connect", resolve).once("error", reject));
};

const sum = (numbers: readonly (number | null | undefined)[]): number =>
  numbers.reduce<number>((total, number) => total + (number ?? Number.NaN), 0);

/** How many connections the processes of a worker report. */
const heldBy = async (worker: WorkerInfo, processes: number): Promise<number> => {
  const pid = worker.pid ?? Number.NaN;
  const isTold = (name: string) => new RegExp(`^${worker.id}\\.\\d+$`).test(name);
  for (const name of readdirSync(web.directory).filter(isTold)) rmSync(web.path(name));
  for (const one of processes > 1 ? descendants(pid) : [pid]) process.kill(one, "SIGUSR1");
  const wanted = Math.max(1, processes - 1);
  const files = await waitFor("the worker's own count", () => {
    const told = readdirSync(web.directory).filter(isTold);
    return told.length === wanted && told;
  });
  return sum(files.map((name) => Number(readFileSync(web.path(name), "utf8"))));
};

/** Waits until every connected client is accepted and counted. */
const counted = (count: number): Promise<Status> =>
  waitFor(`${count} connections`, async () => {
    const seen = await web.status();
    return sum(seen.workers.map(({ usage }) => usage?.connections)) === count && seen;
  });

describe("connections", () => {
  test("are counted for each worker that has accepted them, on every socket of the service, and for no other process", async () => {
    const path = web.path("web.sock");
    const crank = await web.start("-respawn=false", "-bind", "localhost:0", "-bind", path);
    await run(["-instances", "2"]);
    await crank.wrote("stderr", /(Listening on .*\n[\s\S]*){3}/);
    const ports = [...crank.stderr().matchAll(/tcp:\/\/\S*:(\d+)/g)].map(([, port]) => Number(port));
    const hosts = [...crank.stderr().matchAll(/tcp:\/\/(\S*):\d+/g)].map(([, host]) =>
      (host ?? "").replace(/[[\]]/g, ""),
    );
    for (let count = 0; count < 3; count++) await visit({ port: ports[0] ?? 0, host: "127.0.0.1" });
    for (let count = 0; count < 2; count++) await visit({ port: ports[1] ?? 0, host: hosts[1] ?? "" });
    await visit({ path });
    const seen = await counted(6);
    expect(seen.sockets.map(({ connections }) => connections)).toEqual([3, 2, 1]);
    for (const worker of seen.workers) expect(worker.usage?.connections).toBe(await heldBy(worker, 1));
    clients.pop()?.destroy();
    clients.pop()?.destroy();
    // Closed by the client alone, they are the worker's until it closes them too.
    expect((await counted(6)).workers).toHaveLength(2);
    process.kill(seen.workers[0]?.pid ?? Number.NaN, "SIGINT");
    await waitFor("the worker to be gone", async () => (await web.ps()).length === 1);
    await counted(seen.workers[1]?.usage?.connections ?? Number.NaN);
  });

  test("that wait to be accepted belong to no worker, and drops from a full queue are shown", async () => {
    const crank = await web.start("-bind", "127.0.0.1:0?backlog=1");
    await crank.wrote("stderr", /(Listening on .*\n[\s\S]*){2}/);
    const port = Number([...crank.stderr().matchAll(/:(\d+)$/gm)].at(-1)?.[1]);
    await run([], 0, 0);
    for (let count = 0; count < 6; count++) clients.push(connect({ port, host: "127.0.0.1" }).on("error", () => {}));
    const seen = await waitFor("drops", async () => {
      const now = await web.status();
      const [, socket] = now.sockets;
      // The queue is read before the drops are counted.
      return (socket?.drops ?? 0) > 0 && socket?.queue === 2 && now;
    });
    expect(seen.sockets[1]).toMatchObject({ connections: 0, queue: 2, limit: 1 });
    expect(seen.sockets[0]).toMatchObject({ connections: 0, queue: 0, drops: 0 });
    expect(seen.workers[0]?.usage?.connections).toBe(0);
  });

  test("of draining workers are shown until they are gone, even after crank has closed its sockets to end", async () => {
    const crank = await web.start();
    await run(["-stop", "600"]);
    await visit({ port: web.port, host: "127.0.0.1" });
    await counted(1);
    await run(["-stop", "600"]);
    await waitFor("the first to drain", async () => (await web.ps()).some(({ state }) => state === "stopping"));
    await visit({ port: web.port, host: "127.0.0.1" });
    await visit({ port: web.port, host: "127.0.0.1" });
    const shared = await counted(3);
    expect(shared.workers.map((worker) => worker.usage?.connections)).toEqual([1, 2]);
    await web.ctl("shutdown");
    await waitFor("no sockets", async () => (await web.status()).sockets.length === 0);
    expect((await counted(3)).workers.map(({ state }) => state)).toEqual(["stopping", "stopping"]);
    for (const worker of shared.workers) process.kill(worker.pid ?? Number.NaN, "SIGINT");
    expect((await crank.ended).status).toBe(0);
  });

  test.each([
    [1, 0],
    [1000, 2],
    [50_000, 4],
  ])(
    "are counted exactly when there are %i",
    async (count, children) => {
      await web.start();
      // No process may have more descriptors than the machine allows: about 20,000.
      await run(["-instances", "2", "-stop", "1"], children, 15_000);
      const processes = Math.ceil(count / 13_000);
      const crowd = web.bench.start(["python3", CROWD, String(web.port), String(count), String(processes)], {
        stdin: "pipe",
      });
      await crowd.wrote("stdout", "held");
      const seen = await counted(count);
      for (const worker of seen.workers) {
        expect(worker.usage?.connections).toBe(await heldBy(worker, children + 1));
        expect(worker.usage?.processes).toBe(children + 1);
      }
    },
    CROWD_MS,
  );
});
