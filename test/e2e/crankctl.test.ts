// crankctl and crankx against a real crank: every command, and what a person or a script sees of it.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import type { EventEntry, HistoryEntry, Status, WorkerInfo } from "../../src/control/messages.ts";
import {
  Bench,
  CRANK,
  CRANKCTL,
  isAlive,
  ROOT,
  type Running,
  signal,
  supervisorOf,
  waitFor,
} from "./harness/service.ts";

const RESPONDER = join(ROOT, "test/apps/responder.py");
const CRANKX = join(ROOT, "bin/crankx");

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

const start = (name = "web"): Promise<Running> => bench.crank(name, ["-bind", "127.0.0.1:0"]);
const ctl = (...args: string[]) => bench.ctl("web", ...args);
const app = (version: string, ...misdeeds: string[]) => ["--", "python3", RESPONDER, version, ...misdeeds];
const run = (version: string, ...flags: string[]) => ctl("run", "-wait", ...flags, ...app(version));
const json = async <T>(...args: string[]): Promise<T> => JSON.parse((await ctl(...args, "-json")).stdout);
const ps = () => json<WorkerInfo[]>("ps");
const follow = (...args: string[]) => bench.start([CRANKCTL, "-prefix", bench.directory, "-name", "web", ...args]);

describe("what runs", () => {
  test("is listed by ps as the original lists it, and as JSON with every key", async () => {
    await start();
    expect((await ctl("ps")).stdout).toBe("");
    await run("one");
    const [worker] = await ps();
    expect(worker).toMatchObject({ id: 1, generation: 1, state: "ready", command: ["python3", RESPONDER, "one"] });
    expect(worker?.cwd).toBe(bench.directory);
    expect(Date.parse(worker?.startedAt ?? "")).toBeWithin(Date.now() - 600_000, Date.now() + 1000);
    const line = `${worker?.pid} 1 READY "${bench.directory}" [python3 ${RESPONDER} one]\n`;
    expect((await ctl("ps")).stdout).toBe(line);
    expect((await ctl("ps", "-ready")).stdout).toBe(line);
    expect((await ctl("ps", "-stopping")).stdout).toBe("");
    expect((await ctl("ps", "-ready", "-pid", "1")).stdout).toBe("");
  });

  test("is shown by status with its sockets and their queues", async () => {
    const crank = await start();
    await run("one", "-instances", "2");
    const status = await json<Status>("status");
    expect(status).toMatchObject({ name: "web", pid: crank.pid, generation: 1, instances: 2, rollout: null });
    expect(status.sockets).toHaveLength(1);
    expect(status.sockets[0]?.queue).toBe(0);
    expect(status.sockets[0]?.limit).toBeGreaterThan(0);
    expect(status.workers).toHaveLength(2);
    expect((await ctl("status")).stdout).toContain("web: generation 1, 2 of 2 ready");
    expect((await ctl("info")).stdout).toContain(`pid ${crank.pid}`.replace("pid ", ""));
  });

  test("shows a rollout in flight", async () => {
    await start();
    await run("one");
    expect(await ctl("run", ...app("two", "never-ready"))).toMatchObject({ status: 0 });
    const status = await waitFor("the rollout", async () => {
      const seen = await json<Status>("status");
      return seen.rollout?.starting === 1 ? seen : null;
    });
    expect(status.rollout).toMatchObject({ generation: 2, wanted: 1, ready: 0, available: 0, oldLeft: 1 });
    expect((await ctl("status")).stdout).toContain("Rolling out generation 2");
    expect(await run("three")).toMatchObject({
      status: 1,
      stdout: "Failed to start: New process is already being started\n",
    });
    expect(await run("three", "-supersede")).toMatchObject({ status: 0, stdout: "Started successfully\n" });
  });
});

describe("generations", () => {
  test("are listed, and rolled back to", async () => {
    await start();
    await run("one");
    await run("two");
    await run("three");
    const history = await json<HistoryEntry[]>("history");
    expect(history.map((entry) => [entry.generation, entry.current, entry.command.at(-1)])).toEqual([
      [1, false, "one"],
      [2, false, "two"],
      [3, true, "three"],
    ]);
    expect(await ctl("rollback", "-wait")).toMatchObject({ status: 0 });
    expect((await ps()).find((worker) => worker.state === "ready")?.command.at(-1)).toBe("two");
    expect(await ctl("rollback", "-to", "1", "-wait")).toMatchObject({ status: 0 });
    expect((await ps()).find((worker) => worker.state === "ready")?.command.at(-1)).toBe("one");
    expect(await ctl("rollback", "-to", "99")).toMatchObject({ status: 1, stderr: expect.stringContaining("99") });
  });

  test("that are the same again stand once in the history: the way back leads to something else", async () => {
    const crank = await start();
    await run("one");
    await run("two");
    expect(await ctl("reload", "-wait")).toMatchObject({ status: 0 });
    crank.signal("SIGHUP");
    await waitFor("the second reload", () => crank.stderr().includes("Generation 4 is in place"));
    const history = await json<HistoryEntry[]>("history");
    expect(history.map((entry) => [entry.generation, entry.command.at(-1)])).toEqual([
      [1, "one"],
      [4, "two"],
    ]);
    expect(await ctl("rollback", "-wait")).toMatchObject({ status: 0 });
    expect((await ps()).find((worker) => worker.state === "ready")?.command.at(-1)).toBe("one");
  });

  test("that hold a variable are recorded for nobody else's eyes, and from then on", async () => {
    await start();
    await run("one");
    const mode = () => statSync(join(bench.directory, "web.conf")).mode & 0o777;
    expect(mode()).toBe(0o644);
    await run("two", "-env", "PASSWORD=tiger");
    expect(mode()).toBe(0o600);
    await run("three", "-unset-env", "PASSWORD");
    expect(mode()).toBe(0o600);
  });

  test("are reloaded, with everything that was not said again", async () => {
    await start();
    await run("one", "-env", "COLOUR=red", "-stop", "7");
    const [before] = await ps();
    expect(await ctl("reload", "-wait")).toMatchObject({ status: 0 });
    const after = (await ps()).find((worker) => worker.state === "ready");
    expect(after?.pid).not.toBe(before?.pid);
    const environment = await Bun.file(`/proc/${after?.pid}/environ`).text();
    expect(environment.split("\0")).toContain("COLOUR=red");
  });

  test("are guarded by -pid", async () => {
    await start();
    expect(await run("one", "-pid", "1")).toMatchObject({ status: 0 });
    const pid = (await ps())[0]?.pid;
    expect(await run("two", "-pid", "1")).toMatchObject({
      status: 1,
      stdout: `Failed to start: Passed pid (1) doesn't match the current pid (${pid})\n`,
    });
    expect(await run("two", "-pid", String(pid))).toMatchObject({ status: 0 });
  });
});

test("scale changes the number of workers", async () => {
  await start();
  await run("one");
  expect((await ctl("scale", "3")).stdout).toBe("Scaled from 1 to 3\n");
  await waitFor("three workers", async () => (await ps()).filter((worker) => worker.state === "ready").length === 3);
  expect((await ctl("scale", "-by", "-2")).stdout).toBe("Scaled from 3 to 1\n");
  await waitFor("one worker", async () => (await ps()).length === 1);
  expect(await ctl("scale", "-by", "-5000")).toMatchObject({ status: 2 });
});

describe("what is said", () => {
  test("is shown by logs, once or as it comes", async () => {
    await start();
    await run("one");
    await waitFor("the line", async () => (await ctl("logs")).stdout.includes("worker one serves"));
    const { stdout } = await ctl("logs", "-n", "1");
    const pid = (await ps())[0]?.pid;
    expect(stdout).toMatch(
      new RegExp(`^\\w{3} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{3} id=1 pid=${pid} worker one serves\\n$`),
    );
    const following = follow("logs", "-f", "-n", "0");
    // Whether it follows already cannot be seen from outside: so there is something to see until it does.
    await waitFor("the next worker's line", async () => {
      await run("two");
      return following.stdout().includes("worker two serves");
    });
    following.signal("SIGINT");
    expect((await following.ended).stderr).toBe("");
  });

  test("is shown by events, numbered, once or as it comes", async () => {
    await start();
    const following = follow("events", "-json", "-from", "0");
    await run("one");
    await waitFor("the end of the rollout", () => following.stdout().includes("rolloutComplete"));
    const entries: EventEntry[] = following
      .stdout()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, index) => (entries[0]?.seq ?? 0) + index));
    const held = await ctl("events", "-once", "-json", "-from", String(entries[1]?.seq));
    expect(held.status).toBe(0);
    expect(JSON.parse(held.stdout.split("\n")[0] ?? "")).toEqual(entries[1]);
    expect((await ctl("events", "-once")).stdout).toContain("Generation 1 is in place");
    following.signal("SIGTERM");
    await following.ended;
  });

  test("is shown by events from any point that is held, by number or by time, and what is missing is said", async () => {
    await bench.crank("web", ["-bind", "127.0.0.1:0", "-linger", "0"]);
    await run("one");
    const held = async (...args: string[]): Promise<EventEntry[]> => {
      const ended = await ctl("events", "-once", "-json", ...args);
      expect(ended.stderr).toBe("");
      const lines = ended.stdout.split("\n").filter((line) => line !== "");
      return lines.map((line) => JSON.parse(line));
    };
    const all = await held();
    expect(all[0]?.seq).toBe(1);
    const third = all[2];
    expect(await held("-since", "3")).toEqual(all.slice(2));
    expect(await held("-since", "1h")).toEqual(all);
    expect(await held("-since", third?.time ?? "")).toEqual(all.filter(({ time }) => time >= (third?.time ?? "")));
    expect(await held("-since", "2999-01-01T00:00:00Z")).toEqual([]);
    expect(await held("-since", "900")).toEqual([
      { gap: { from: all.length + 1, to: 899 } },
    ] as unknown as EventEntry[]);
    // Each reload is eight events or so; a thousand and some are held.
    const reload = async () => (await ctl("reload", "-wait")).status;
    const socket = join(bench.directory, "web.ctl");
    const script = `import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); f = s.makefile("rw")
for n in range(700): f.write('{"jsonrpc":"2.0","id":1,"method":"scale","params":{"to":%d}}\\n' % (1 + n % 2)); f.flush(); f.readline()`;
    expect((await bench.run(["python3", "-c", script, socket])).stderr).toBe("");
    expect(await reload()).toBe(0);
    const [gap, oldest, ...later] = await held("-since", "1");
    expect(gap).toEqual({ gap: { from: 1, to: (oldest?.seq ?? 0) - 1 } } as unknown as EventEntry);
    expect(later.length).toBeGreaterThanOrEqual(1023);
    expect(later.map(({ seq }) => seq)).toEqual(later.map((_, index) => (oldest?.seq ?? 0) + 1 + index));
    expect((await held("-since", "1h"))[0]).toEqual({
      gap: { from: null, to: (oldest?.seq ?? 0) - 1 },
    } as unknown as EventEntry);
    expect((await ctl("events", "-once", "-since", "2")).stdout).toStartWith("Events 2 to ");
  });
});

describe("run -wait", () => {
  test("that is interrupted leaves the rollout going", async () => {
    await start();
    const waiting = follow("run", "-wait", "-start", "60", "--", "sh", "-c", "echo here; sleep 600");
    await waitFor("the worker", async () => (await ps())[0]?.state === "starting");
    waiting.signal("SIGINT");
    expect(await waiting.ended).toMatchObject({ status: 130, stderr: expect.stringContaining("goes on without us") });
    expect((await ps())[0]?.state).toBe("starting");
  });

  test("hears how it came to it before it hears that the deploy has failed", async () => {
    await start();
    const params = { wait: true, command: app("one").slice(1).concat("exit-3") };
    const request = `${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "run", params })}\n`;
    const script = `import json, socket, sys
ctl = socket.socket(socket.AF_UNIX)
ctl.connect(sys.argv[1])
ctl.sendall(sys.argv[2].encode())
for line in ctl.makefile():
    said = json.loads(line)
    print("answer" if "id" in said else said["params"]["kind"])
    if "id" in said: break`;
    const { stdout } = await bench.run(["python3", "-c", script, join(bench.directory, "web.ctl"), request]);
    expect(stdout.trim().split("\n").slice(-3)).toEqual(["workerGone", "rolloutRolledBack", "answer"]);
  });

  test("is answered although the supervisor is killed meanwhile", async () => {
    const crank = await start();
    const waiting = follow("run", "-wait", ...app("one"), "late");
    for (let kills = 0; kills < 3; kills++) {
      const supervisor = await waitFor("the supervisor", () => supervisorOf(crank));
      signal(supervisor, "SIGKILL");
      await waitFor("its end", () => !isAlive(supervisor));
    }
    expect(await waiting.ended).toMatchObject({ status: 0, stdout: "Started successfully\n" });
  });
});

describe("shutdown", () => {
  test("-wait is answered when the last worker is gone, and then crank ends", async () => {
    const crank = await start();
    await run("one", "-instances", "2");
    const pids = (await ps()).map((worker) => worker.pid ?? 0);
    expect(await ctl("shutdown", "-wait")).toEqual({ status: 0, stdout: "Shut down\n", stderr: "" });
    expect(pids.map(isAlive)).toEqual([false, false]);
    expect((await crank.ended).status).toBe(0);
    expect(await ctl("ps")).toMatchObject({ status: 3, stderr: expect.stringContaining("ERROR: couldn't connect: ") });
  });

  test("refuses a deploy while it goes on", async () => {
    await start();
    await ctl("run", "-wait", "-stop", "600", ...app("deaf", "deaf"));
    expect((await ctl("shutdown")).stdout).toBe("Shutting down, workers left: 1\n");
    expect(await run("two")).toMatchObject({ status: 1, stdout: "Failed to start: Manager is shutting down\n" });
    expect(await ctl("shutdown", "-wait")).toMatchObject({ status: 0 });
  });
});

test("a control socket on tcp answers only those who know its secret", async () => {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const uri = `127.0.0.1:${probe.port}`;
  probe.stop(true);
  const crank = bench.start([CRANK, "-prefix", bench.directory, "-name", "web", "-ctl", uri, "-bind", "127.0.0.1:0"], {
    env: { CRANK_CTL_TOKEN: "secret" },
  });
  const withToken = (token: string | undefined, ...args: string[]) =>
    bench.run([CRANKCTL, "-ctl", uri, ...args], { env: { CRANK_CTL_TOKEN: token } });
  await waitFor("the control socket", async () => (await withToken("secret", "ps")).status === 0);
  expect(await withToken("secret", "run", "-wait", ...app("one"))).toMatchObject({ status: 0 });
  expect(await withToken("guess", "ps", "-json")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("ERROR: "),
  });
  expect(await withToken(undefined, "ps")).toMatchObject({ status: 2, stdout: "" });
  // More strangers than there is room for: each is shown the door, most with a word why, and the owner gets in.
  const script = `import socket, sys
strangers = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(1100)]
def last_words(stranger):
    try:
        stranger.sendall(b'{"jsonrpc":"2.0","id":1,"method":"ps"}\\n')
        return stranger.makefile("rb").read()
    except OSError:
        return b""
print(any(b'"code":3' in last_words(stranger) for stranger in strangers))`;
  expect((await bench.run(["python3", "-c", script, String(probe.port)])).stdout).toBe("True\n");
  expect(await withToken("secret", "ps")).toMatchObject({ status: 0 });
  expect(await withToken("secret", "shutdown", "-wait")).toMatchObject({ status: 0 });
  expect((await crank.ended).status).toBe(0);
});

test("crankx deploys to every service of a prefix, and stops at the first that fails", async () => {
  await start("web-a");
  await start("web-b");
  const crankx = (...args: string[]) => bench.run([CRANKX, ...args], { env: { CRANK_PREFIX: bench.directory } });
  expect(await crankx("web-", "run", "-wait", ...app("one"))).toMatchObject({
    status: 0,
    stdout: "For web-a\nStarted successfully\nFor web-b\nStarted successfully\n",
  });
  const failed = await crankx("web-", "run", "-wait", ...app("two", "exit-3"));
  expect(failed).toMatchObject({ status: 1, stdout: "For web-a\nExited with code: 3\n" });
  expect(failed.stderr).toContain("the last words of two");
  expect(failed.stderr).toContain("not done: web-b");
  expect((await crankx("-parallel", "2", "web-", "reload", "-wait")).status).toBe(0);
});
