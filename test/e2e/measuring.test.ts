// What ps and status show of what workers use, measured from outside.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { WorkerInfo } from "../../src/control/messages.ts";
import { Bench, portOf, ROOT, type Running, signal, supervisorOf, waitFor } from "./harness/service.ts";

const HOLDER = join(ROOT, "test/apps/holder.py");

let bench: Bench;
let clients: Socket[];
beforeEach(() => {
  bench = new Bench();
  clients = [];
});
afterEach(() => {
  for (const client of clients) client.destroy();
  return bench.clean();
});

const start = (...args: string[]): Promise<Running> => bench.crank("web", ["-bind", "127.0.0.1:0", ...args]);
const run = async (): Promise<void> => {
  const env = ["-env", `HOLDER_DIR=${bench.directory}`];
  const ended = await bench.ctl("web", "run", "-wait", ...env, "--", "python3", HOLDER, "0", "1000000");
  if (ended.status !== 0) throw new Error(ended.stderr);
};
const ps = async (): Promise<WorkerInfo[]> => JSON.parse((await bench.ctl("web", "ps", "-json")).stdout);

describe("what a worker uses", () => {
  test("is told of its whole tree, and not more than it is", async () => {
    await start();
    const sums = "x = bytearray(64 << 20)\nwhile True: pass";
    const child = `import os, socket, subprocess, sys
subprocess.Popen([sys.executable, "-c", ${JSON.stringify(sums)}])
socket.socket(fileno=int(os.environ["NOTIFY_FD"])).send(b"READY=1")
while True: os.wait()`;
    const ended = await bench.ctl("web", "run", "-wait", "--", "python3", "-c", child);
    expect(ended.stderr).toBe("");
    // The start of Python alone may take as much processor time, before the child has its memory.
    const [worker] = await waitFor("some work in 64 MiB", async () => {
      const workers = await ps();
      const { cpu, memory } = workers[0]?.usage ?? {};
      return (cpu ?? 0) > 0.3 && (memory ?? 0) > 64 * 2 ** 20 && workers;
    });
    expect(worker?.usage?.processes).toBe(2);
    expect(worker?.usage?.memory).toBeLessThan(128 * 2 ** 20);
    const again = await waitFor("a later look", async () => {
      const [now] = await ps();
      return now?.usage && now.usage.at > (worker?.usage?.at ?? "") && now;
    });
    expect(again.usage?.cpu).toBeGreaterThanOrEqual(worker?.usage?.cpu ?? 0);
  });

  test("is measured for everybody who asks at the same time at once, by a supervisor that sleeps or is killed meanwhile", async () => {
    const crank = await start("-linger", "0");
    await run();
    const asked = Promise.all(Array.from({ length: 8 }, () => ps()));
    const supervisor = supervisorOf(crank);
    if (supervisor !== undefined) signal(supervisor, "SIGKILL");
    const times = (await asked).map(([worker]) => worker?.usage?.at ?? "");
    expect(times.every((time) => time !== "")).toBe(true);
    expect(new Set(times).size).toBeLessThan(8);
  });
});

test("ps gives its plain lines to whatever is no terminal, and measures nothing for them", async () => {
  await start();
  await run();
  const [worker] = await ps();
  expect((await bench.ctl("web", "ps")).stdout).toBe(
    `${worker?.pid} 1 READY "${bench.directory}" [python3 ${HOLDER} 0 1000000]\n`,
  );
});

test("status shows a table with what is used, and dashes for what is not known", async () => {
  const crank = await start("-bind", `unix://${join(bench.directory, "web.sock")}`);
  await run();
  const client = connect({ port: portOf(crank), host: "127.0.0.1" });
  clients.push(client);
  await waitFor("the connection to be counted", async () => (await ps())[0]?.usage?.connections === 1);
  const { stdout } = await bench.ctl("web", "status");
  expect(stdout).toMatch(/SOCKET {3}ADDRESS .*WAITING {2}CONNECTIONS {2}DROPPED\n/);
  expect(stdout).toMatch(/socket0 .* 0 of \d+ +1 +0\n/);
  expect(stdout).toMatch(/socket1 .* 0 of \d+ +0 +-\n/);
  expect(stdout).toMatch(/PID +ID +GEN +STATE +UP +RESTARTS +MEMORY +CPU +CONNECTIONS +DIRECTORY +COMMAND\n/);
  expect(stdout).toMatch(/ready +[\d.]+ s +0 +\d[\d.]* MiB +[\d.]+ s +1 +\S+ +python3 /);
});

test("a worker that was started again says how often, at its place and since the deploy", async () => {
  await bench.crank("web", ["-bind", "127.0.0.1:0", "-respawn"]);
  await bench.ctl(
    "web",
    "run",
    "-wait",
    "-instances",
    "2",
    "-env",
    `HOLDER_DIR=${bench.directory}`,
    "--",
    "python3",
    HOLDER,
    "0",
    "9",
  );
  const restarts = async () => (await ps()).map((worker) => worker.restarts).sort();
  expect(await restarts()).toEqual([0, 0]);
  const [first] = await ps();
  for (let times = 1; times <= 2; times++) {
    const lost = (await ps()).find((worker) => worker.id === first?.id || (worker.restarts ?? 0) > 0);
    process.kill(lost?.pid ?? Number.NaN, "SIGKILL");
    await waitFor("another in its place", async () => {
      const workers = await ps();
      const isWhole = workers.length === 2 && workers.every(({ state }) => state === "ready");
      return isWhole && workers.some((worker) => worker.restarts === times);
    });
  }
  await bench.ctl("web", "reload", "-wait");
  await waitFor(
    "the old ones to be stopping",
    async () => (await ps()).filter(({ state }) => state === "ready").length === 2,
  );
  expect((await ps()).filter(({ state }) => state === "ready").map((worker) => worker.restarts)).toEqual([0, 0]);
});
