// socketmaster: one process replaced by another, and socketmaster itself replaced.
import { describe, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiled } from "../harness/apps.ts";
import { portOf } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { changeKeeper, install } from "../harness/installation.ts";
import { Load } from "../harness/load.ts";
import { isAlive } from "../harness/processes.ts";
import { RESPONDER_IN_PYTHON } from "../harness/python-apps.ts";
import { waitFor } from "../harness/wait.ts";
import { ANY_PORT, childrenOf, LISTENER, Masters, pids, SOCKETMASTER, said } from "./socketmaster.ts";

const bench = eachTest(new Masters());

describe("SIGHUP", () => {
  test("starts another process, and stops the first when the second has lived for -start", async () => {
    const master = bench.master([...ANY_PORT, "-start", "300"], "v1");
    const [old = 0] = await pids(master);
    await waitFor("the first to have lived", () => bench.serving(master));
    master.signal("SIGHUP");
    const [, next] = await pids(master, 2);
    await said(master, `[${old}] got SIGTERM`);
    await waitFor("the old one to be gone", () => !isAlive(old));
    expect(await bench.serving(master)).toBe(`v1 ${next}`);
  });

  test("with -start 0 does not wait", async () => {
    const master = bench.master([...ANY_PORT, "-start", "0"], "v1");
    const [old = 0] = await pids(master);
    master.signal("SIGHUP");
    await waitFor("the old one to be gone", () => !isAlive(old));
    const [, next] = await pids(master, 2);
    expect(await bench.serving(master)).toBe(`v1 ${next}`);
  });

  test("does not wait for a process that says READY=1", async () => {
    const master = bench.start([
      SOCKETMASTER,
      ...ANY_PORT,
      "-start",
      "3600000",
      "-command",
      "python3",
      "--",
      ...RESPONDER_IN_PYTHON.slice(1),
      "v1",
    ]);
    await said(master, "worker v1 serves");
    master.signal("SIGHUP");
    await said(master, "Sending SIGTERM to");
  });

  test("signals no process when the new process dies, even while an older one still drains", async () => {
    const flag = bench.path("broken");
    const wrapper = bench.path("wrapper");
    writeFileSync(wrapper, `#!/bin/sh\n[ -e ${flag} ] && exit 7\nexec python3 ${LISTENER} v1 deaf\n`, { mode: 0o755 });
    const master = bench.start([SOCKETMASTER, ...ANY_PORT, "-start", "3000", "-command", wrapper]);
    const [oldest = 0] = await pids(master);
    master.signal("SIGHUP");
    await said(master, `[${oldest}] got SIGTERM`);
    const [, serves = 0] = await pids(master, 2);
    writeFileSync(flag, "");
    master.signal("SIGHUP");
    await said(master, "no process is signalled");
    expect(master.stderr()).not.toContain(`[${serves}] got SIGTERM`);
    expect(master.stderr().split(`[${oldest}] got SIGTERM`)).toHaveLength(2);
    expect([isAlive(oldest), isAlive(serves)]).toEqual([true, true]);
  });

  test("repeated in the middle of a replacement causes one more replacement", async () => {
    const gate = bench.path("gate");
    writeFileSync(gate, "");
    const flags = [
      ...ANY_PORT,
      "-start",
      "3600000",
      "-command",
      "python3",
      "--",
      ...RESPONDER_IN_PYTHON.slice(1),
      "v1",
      "held",
    ];
    const master = bench.start([SOCKETMASTER, ...flags], { env: { HOLD: gate } });
    const count = (what: string): number => master.stderr().split(what).length - 1;
    await waitFor("the first", () => count("worker v1 serves") === 1);
    rmSync(gate);
    master.signal("SIGHUP");
    await waitFor("the second's start", () => count("Starting python3") === 2);
    for (let time = 0; time < 5; time++) master.signal("SIGHUP");
    writeFileSync(gate, "");
    await waitFor("the second to be told to go by a third", () => count("Sending SIGTERM") === 2);
    expect(await bench.answerFrom(portOf(master))).toStartWith("v1 ");
    await waitFor("the third's word", () => count("worker v1 serves") === 3);
    expect(count("Starting python3")).toBe(3);
  });

  test("with a program that cannot be started is reported, and the old process serves until SIGTERM", async () => {
    const program = bench.path("program");
    writeFileSync(program, `#!/bin/sh\nexec python3 ${LISTENER} v1\n`, { mode: 0o755 });
    const master = bench.start([SOCKETMASTER, ...ANY_PORT, "-start", "0", "-command", program]);
    await pids(master);
    writeFileSync(program, "");
    await bench.run(["rm", program]);
    master.signal("SIGHUP");
    await said(master, "Could not start new process: exec: no such file or directory");
    expect(await bench.serving(master)).toStartWith("v1 ");
    master.signal("SIGTERM");
    expect(await master.ended).toMatchObject({ status: 0 });
  });
});

describe("SIGUSR1", () => {
  test("replaces socketmaster under the same pid; its socket, its processes and their output stay", async () => {
    const home = bench.path("home");
    const crank = install(home);
    const words = ["-command", "python3", ...ANY_PORT, "-start", "100", "--", LISTENER, "v1"];
    const master = bench.start([join(home, "bin/socketmaster"), ...words]);
    const answer = await bench.serving(master);
    const children = childrenOf(master);
    changeKeeper(crank);
    master.signal("SIGUSR1");
    await said(master, "Upgraded from");
    expect(readFileSync(`/proc/${master.pid}/exe`).equals(readFileSync(crank))).toBe(true);
    expect(childrenOf(master)).toEqual(children);
    expect(await bench.answerFrom(portOf(master))).toBe(answer);
    master.signal("SIGHUP");
    await pids(master, 2);
    await waitFor("the end of the first one", () => childrenOf(master).length === 1);
    expect(childrenOf(master)).not.toEqual(children);
    master.signal("SIGTERM");
    expect((await master.ended).status).toBe(0);
  });

  test("with a new program that cannot take over changes nothing, and reports the reason", async () => {
    const home = bench.path("home");
    install(home);
    const words = ["-command", "python3", ...ANY_PORT, "--", LISTENER, "v1"];
    const master = bench.start([join(home, "bin/socketmaster"), ...words]);
    const answer = await bench.serving(master);
    rmSync(join(home, "bin/socketmaster"));
    master.signal("SIGUSR1");
    await said(master, "socketmaster: no such file");
    expect(await bench.answerFrom(portOf(master))).toBe(answer);
    master.signal("SIGTERM");
    expect((await master.ended).status).toBe(0);
  });
});

test("replacements under load refuse and reset no connection", async () => {
  const master = bench.start([
    SOCKETMASTER,
    ...ANY_PORT,
    "-start",
    "50",
    "-command",
    compiled("worker"),
    "--",
    "-drain",
    "300",
    "v1",
  ]);
  await master.wrote("stderr", "Listening on");
  const load = new Load({ port: portOf(master), anew: 50, pauseMs: 20, stays: 200, talkMs: 500 });
  await waitFor("the clients that stay", () => load.staying === 200);
  for (let replaced = 1; replaced <= 15; replaced++) {
    master.signal("SIGHUP");
    await waitFor(`replacement ${replaced}`, () => master.stderr().split("Sending SIGTERM to").length > replaced);
  }
  await waitFor("the clients to be back", () => load.staying === 200);
  const counts = await load.stop();
  expect(counts).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
  expect(counts.drained).toBeGreaterThan(0);
}, 120_000);
