// Watchdogs and main processes in the real keeper: which processes may feed, and what happens when the main process changes.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { DrivenKeeper, until } from "../harness/driven-keeper.ts";
import { plainSpawn } from "../harness/keeper-under-test.ts";

const SIGTERM = 15;

let keeper: DrivenKeeper;
beforeEach(() => {
  keeper = new DrivenKeeper();
});
afterEach(() => keeper.clean());

const script = (code: string): string[] => [
  "/usr/bin/env",
  "python3",
  "-c",
  `import os,signal,socket,sys,time\nnotify=socket.socket(fileno=3)\n${code}`,
];
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
/** The start time in /proc/PID/stat. */
const startTimeOf = (pid: number): number => Number(fieldsOf(pid)[19]);
const groupOf = (pid: number): number => Number(fieldsOf(pid)[2]);
const fieldsOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
const isThere = (pid: number): boolean => {
  try {
    return fieldsOf(pid)[0] !== "Z";
  } catch {
    return false;
  }
};

describe("a watchdog", () => {
  test("does not expire while the worker's own process feeds it", async () => {
    await keeper.start();
    const code = `
notify.send(b"STATUS=awake")
for n in range(30):
    notify.send(b"WATCHDOG=1")
    time.sleep(0.1)
notify.send(b"STATUS=tired")
time.sleep(600)`;
    keeper.commit([plainSpawn(1, script(code), { notifyFd: 3 })]);
    await keeper.event("spawned");
    await keeper.event("datagram");
    keeper.commit([{ kind: "watchdog", worker: 1, periodMs: 2000 }]);
    expect(textOf((await keeper.event("datagram")).bytes)).toBe("STATUS=tired");
    expect(await keeper.event("watchdogExpired")).toMatchObject({ worker: 1, periodMs: 2000, strangers: 0 });
  });

  test("ignores and reports messages from other processes, including its child", async () => {
    await keeper.start();
    const code = `
child=os.fork()
if child==0: notify.send(b"STATUS=awake")
while child==0:
    notify.send(b"WATCHDOG=1")
    time.sleep(0.02)
time.sleep(600)`;
    keeper.commit([plainSpawn(1, script(code), { notifyFd: 3 })]);
    const { pid } = await keeper.event("spawned");
    await keeper.event("datagram");
    keeper.commit([{ kind: "watchdog", worker: 1, periodMs: 1500 }]);
    const expired = await keeper.event("watchdogExpired");
    expect(expired.strangers).toBeGreaterThan(0);
    expect(expired.stranger).not.toBe(pid);
  });

  test("continues through a re-exec", async () => {
    await keeper.start();
    keeper.commit([plainSpawn(1, script("time.sleep(600)"), { notifyFd: 3 })]);
    await keeper.event("spawned");
    keeper.commit([
      { kind: "watchdog", worker: 1, periodMs: 1500 },
      { kind: "execute", path: `${keeper.keeper.home}/bin/crank` },
    ]);
    await keeper.nextLife();
    keeper.attach();
    expect(await keeper.eventually("watchdogExpired")).toMatchObject({ worker: 1, periodMs: 1500 });
  });
});

describe("a main process", () => {
  /** A worker whose child runs code and reports its own pid, and what the parent does then. */
  const forking = (child: string, parent: string): string[] =>
    script(`
child=os.fork()
if child==0:
    ${child}
    notify.send(str(os.getpid()).encode())
    time.sleep(600)
${parent}`);

  const follow = async (args: readonly string[]): Promise<{ first: number; main: number }> => {
    await keeper.start();
    keeper.commit([plainSpawn(1, args, { notifyFd: 3 })]);
    const { pid: first } = await keeper.event("spawned");
    const main = Number(textOf((await keeper.event("datagram")).bytes));
    keeper.commit([{ kind: "followMain", worker: 1, pid: main, startTime: startTimeOf(main) }]);
    expect(await keeper.event("moved")).toMatchObject({ worker: 1, pid: main, startTime: startTimeOf(main) });
    return { first, main };
  };

  test("is the process that is signalled and waited for, however the started process ends", async () => {
    const { first, main } = await follow(forking("signal.signal(15,lambda *_: os._exit(7))", "time.sleep(600)"));
    process.kill(first, "SIGKILL");
    await until("the first one's end", () => !isThere(first));
    await until("another parent", () => Number(fieldsOf(main)[1]) === keeper.pid);
    keeper.commit([{ kind: "signal", worker: 1, signal: SIGTERM, group: 0 }]);
    // The worker's orphan is the keeper's child, so its status is known.
    expect(await keeper.event("exited")).toMatchObject({ worker: 1, pid: main, ending: 0, status: 7 });
  });

  test("decides the worker's exit, and a started process that still runs is part of the rest", async () => {
    const { first, main } = await follow(forking("pass", "signal.signal(17,signal.SIG_IGN)\ntime.sleep(600)"));
    process.kill(main, "SIGKILL");
    expect(await keeper.event("mainExited")).toMatchObject({ worker: 1, pid: main, ending: 3, rest: 1 });
    expect(isThere(first)).toBe(true);
    keeper.commit([{ kind: "signal", worker: 1, signal: SIGTERM, group: 1 }]);
    expect(await keeper.event("exited")).toMatchObject({ worker: 1, pid: main, ending: 3 });
    expect(isThere(first)).toBe(false);
  });

  test("is signalled with all others of its tree, whatever its session", async () => {
    const { first, main } = await follow(forking("os.setsid()", "time.sleep(600)"));
    expect(groupOf(main)).toBe(main);
    expect(isThere(first)).toBe(true);
    keeper.commit([{ kind: "signal", worker: 1, signal: 9, group: 1 }]);
    expect(await keeper.event("killed")).toMatchObject({ worker: 1, count: 1, pids: [first] });
    expect(await keeper.event("exited")).toMatchObject({ worker: 1, pid: main });
    expect(isThere(first)).toBe(false);
  });

  test("is kept through a re-exec", async () => {
    const { first, main } = await follow(forking("pass", "time.sleep(600)"));
    keeper.commit([{ kind: "execute", path: `${keeper.keeper.home}/bin/crank` }]);
    await keeper.nextLife();
    keeper.attach();
    keeper.commit([{ kind: "signal", worker: 1, signal: SIGTERM, group: 1 }]);
    expect(await keeper.eventually("exited")).toMatchObject({ worker: 1, pid: main });
    await until("the rest of its group", () => !isThere(first));
  });

  test("that does not exist, or has another start time, is refused", async () => {
    await keeper.start();
    keeper.commit([plainSpawn(1, script("time.sleep(600)"), { notifyFd: 3 })]);
    const { pid } = await keeper.event("spawned");
    keeper.commit([{ kind: "followMain", worker: 1, pid, startTime: 1 }]);
    expect(await keeper.event("failed")).toMatchObject({ id: 1, step: "process", errno: 3 });
  });
});
