// What ps and status show of the resources that workers use, measured from outside.
import { describe, expect, test } from "bun:test";
import { eachTest } from "../harness/each-test.ts";
import { signal, supervisorOf } from "../harness/processes.ts";
import { HOLDER } from "../harness/python-apps.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());

const HOLDS = [...HOLDER, "0", "1000000"];
const run = (): Promise<void> => web.deploy("-env", `HOLDER_DIR=${web.directory}`, "--", ...HOLDS);

describe("what a worker uses", () => {
  test("is shown for its whole tree, and no more than that", async () => {
    await web.start();
    const sums = "x = bytearray(64 << 20)\nwhile True: pass";
    const child = `import os, socket, subprocess, sys
subprocess.Popen([sys.executable, "-c", ${JSON.stringify(sums)}])
socket.socket(fileno=int(os.environ["NOTIFY_FD"])).send(b"READY=1")
while True: os.wait()`;
    const ended = await web.run("--", "python3", "-c", child);
    expect(ended.stderr).toBe("");
    // Starting Python may take as much processor time, before the child has its memory.
    const [worker] = await waitFor("some work in 64 MiB", async () => {
      const workers = await web.ps();
      const { cpu, memory } = workers[0]?.usage ?? {};
      return (cpu ?? 0) > 0.3 && (memory ?? 0) > 64 * 2 ** 20 && workers;
    });
    expect(worker?.usage?.processes).toBe(2);
    expect(worker?.usage?.memory).toBeLessThan(128 * 2 ** 20);
    const again = await waitFor("a later look", async () => {
      const [now] = await web.ps();
      return now?.usage && now.usage.at > (worker?.usage?.at ?? "") && now;
    });
    expect(again.usage?.cpu).toBeGreaterThanOrEqual(worker?.usage?.cpu ?? 0);
  });

  test("is measured once for all requests that come at the same time, by a supervisor that sleeps or is killed meanwhile", async () => {
    const crank = await web.start("-linger", "0");
    await run();
    const asked = Promise.all(Array.from({ length: 8 }, () => web.ps()));
    const supervisor = supervisorOf(crank);
    if (supervisor !== undefined) signal(supervisor, "SIGKILL");
    const times = (await asked).map(([worker]) => worker?.usage?.at ?? "");
    expect(times.every((time) => time !== "")).toBe(true);
    expect(new Set(times).size).toBeLessThan(8);
  });
});

test("ps prints plain lines to anything but a terminal, and measures nothing for them", async () => {
  await web.start();
  await run();
  const [worker] = await web.ps();
  expect((await web.ctl("ps")).stdout).toBe(`${worker?.pid} 1 READY "${web.directory}" [${HOLDS.join(" ")}]\n`);
});

test("status shows a table with what is used, and dashes for what is not known", async () => {
  await web.start("-bind", `unix://${web.path("web.sock")}`);
  await run();
  await web.talk();
  await waitFor("the connection to be counted", async () => (await web.ps())[0]?.usage?.connections === 1);
  const { stdout } = await web.ctl("status");
  expect(stdout).toMatch(/SOCKET {3}ADDRESS .*WAITING {2}CONNECTIONS {2}DROPPED\n/);
  expect(stdout).toMatch(/socket0 .* 0 of \d+ +1 +0\n/);
  expect(stdout).toMatch(/socket1 .* 0 of \d+ +0 +-\n/);
  expect(stdout).toMatch(/PID +ID +GEN +STATE +UP +RESTARTS +MEMORY +CPU +CONNECTIONS +DIRECTORY +COMMAND\n/);
  expect(stdout).toMatch(/ready +[\d.]+ s +0 +\d[\d.]* MiB +[\d.]+ s +1 +\S+ +python3 /);
});

test("a worker that was restarted says how often, at its place and since the deploy", async () => {
  await web.start("-respawn");
  await web.run("-instances", "2", "-env", `HOLDER_DIR=${web.directory}`, "--", ...HOLDER, "0", "9");
  const restarts = async () => (await web.ps()).map((worker) => worker.restarts).sort();
  expect(await restarts()).toEqual([0, 0]);
  const [first] = await web.ps();
  for (let times = 1; times <= 2; times++) {
    const lost = (await web.ps()).find((worker) => worker.id === first?.id || (worker.restarts ?? 0) > 0);
    process.kill(lost?.pid ?? Number.NaN, "SIGKILL");
    await waitFor("another in its place", async () => {
      const workers = await web.ps();
      const isWhole = workers.length === 2 && workers.every(({ state }) => state === "ready");
      return isWhole && workers.some((worker) => worker.restarts === times);
    });
  }
  await web.ctl("reload", "-wait");
  expect((await web.settled(2)).map((worker) => worker.restarts)).toEqual([0, 0]);
});
