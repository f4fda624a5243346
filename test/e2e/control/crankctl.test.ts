// crankctl and crankx against a real crank: every command, and its result for a person or a script.
import { describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import type { EventEntry } from "../../../src/control/messages.ts";
import { RESPONDER } from "../harness/apps.ts";
import { CRANKCTL, ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { freePorts } from "../harness/ports.ts";
import { isAlive, signal, supervisorOf } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

/** The responder behind a command line's flags. */
const app = (...words: readonly string[]) => ["--", ...RESPONDER, ...words];
const follow = (...args: readonly string[]) => web.bench.start(web.ctlCommand(...args));
const CRANKX = join(ROOT, "bin/crankx");

const web = eachTest(new Service({ app: RESPONDER }));

describe("what runs", () => {
  test("is listed by ps as the original lists it, and as JSON with every key", async () => {
    await web.start();
    expect((await web.ctl("ps")).stdout).toBe("");
    await web.app("one");
    const [worker] = await web.ps();
    expect(worker).toMatchObject({ id: 1, generation: 1, state: "ready", command: [...RESPONDER, "one"] });
    expect(worker?.cwd).toBe(web.directory);
    expect(Date.parse(worker?.startedAt ?? "")).toBeWithin(Date.now() - 600_000, Date.now() + 1000);
    const line = `${worker?.pid} 1 READY "${web.directory}" [${RESPONDER.join(" ")} one]\n`;
    expect((await web.ctl("ps")).stdout).toBe(line);
    expect((await web.ctl("ps", "-ready")).stdout).toBe(line);
    expect((await web.ctl("ps", "-stopping")).stdout).toBe("");
    expect((await web.ctl("ps", "-ready", "-pid", "1")).stdout).toBe("");
  });

  test("is shown by status with its sockets and their queues", async () => {
    const crank = await web.start();
    await web.app("one", "-instances", "2");
    const status = await web.status();
    expect(status).toMatchObject({ name: "web", pid: crank.pid, generation: 1, instances: 2, rollout: null });
    expect(status.sockets).toHaveLength(1);
    expect(status.sockets[0]?.queue).toBe(0);
    expect(status.sockets[0]?.limit).toBeGreaterThan(0);
    expect(status.workers).toHaveLength(2);
    expect((await web.ctl("status")).stdout).toContain("web: generation 1, 2 of 2 ready");
    expect((await web.ctl("info")).stdout).toContain(`pid ${crank.pid}`.replace("pid ", ""));
  });

  test("is shown with a rollout in progress", async () => {
    await web.start();
    await web.app("one");
    expect(await web.ctl("run", ...app("two", "never-ready"))).toMatchObject({ status: 0 });
    const status = await waitFor("the rollout", async () => {
      const seen = await web.status();
      return seen.rollout?.starting === 1 ? seen : null;
    });
    expect(status.rollout).toMatchObject({ generation: 2, wanted: 1, ready: 0, available: 0, oldLeft: 1 });
    expect((await web.ctl("status")).stdout).toContain("Rolling out generation 2");
    expect(await web.app("three")).toMatchObject({
      status: 1,
      stderr:
        "crankctl run: New process is already being started. Wait for its end, or give it up with crankctl run -supersede.\n",
    });
    expect(await web.app("three", "-supersede")).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(" deployed in "),
    });
  });
});

describe("generations", () => {
  test("are listed, and rollback returns to one", async () => {
    await web.start();
    await web.app("one");
    await web.app("two");
    await web.app("three");
    const history = await web.history();
    expect(history.map((entry) => [entry.generation, entry.current, entry.command.at(-1)])).toEqual([
      [1, false, "one"],
      [2, false, "two"],
      [3, true, "three"],
    ]);
    expect(await web.ctl("rollback", "-wait")).toMatchObject({ status: 0 });
    expect((await web.ready()).command.at(-1)).toBe("two");
    expect(await web.ctl("rollback", "-to", "1", "-wait")).toMatchObject({ status: 0 });
    expect((await web.ready()).command.at(-1)).toBe("one");
    expect(await web.ctl("rollback", "-to", "99")).toMatchObject({ status: 1, stderr: expect.stringContaining("99") });
  });

  test("that are identical appear once in the history, so that rollback leads to a different one", async () => {
    const crank = await web.start();
    await web.app("one");
    await web.app("two");
    expect(await web.ctl("reload", "-wait")).toMatchObject({ status: 0 });
    crank.signal("SIGHUP");
    await crank.wrote("stderr", "Rolled out generation 4");
    const history = await web.history();
    expect(history.map((entry) => [entry.generation, entry.command.at(-1)])).toEqual([
      [1, "one"],
      [4, "two"],
    ]);
    expect(await web.ctl("rollback", "-wait")).toMatchObject({ status: 0 });
    expect((await web.ready()).command.at(-1)).toBe("one");
  });

  test("with a variable make the record unreadable for other users from then on", async () => {
    await web.start();
    await web.app("one");
    const mode = () => statSync(web.path("web.conf")).mode & 0o777;
    expect(mode()).toBe(0o644);
    await web.app("two", "-env", "PASSWORD=tiger");
    expect(mode()).toBe(0o600);
    await web.app("three", "-unset-env", "PASSWORD");
    expect(mode()).toBe(0o600);
  });

  test("are reloaded with all settings that are not given again", async () => {
    await web.start();
    await web.app("one", "-env", "COLOUR=red", "-stop", "7");
    const [before] = await web.ps();
    expect(await web.ctl("reload", "-wait")).toMatchObject({ status: 0 });
    const after = await web.ready();
    expect(after.pid).not.toBe(before?.pid);
    const environment = await Bun.file(`/proc/${after.pid}/environ`).text();
    expect(environment.split("\0")).toContain("COLOUR=red");
  });

  test("are guarded by -pid", async () => {
    await web.start();
    expect(await web.app("one", "-pid", "1")).toMatchObject({ status: 0 });
    const pid = (await web.ps())[0]?.pid;
    expect(await web.app("two", "-pid", "1")).toMatchObject({
      status: 1,
      stderr: `crankctl run: Passed pid (1) doesn't match the current pid (${pid})\n`,
    });
    expect(await web.app("two", "-pid", String(pid))).toMatchObject({ status: 0 });
  });
});

test("scale changes the number of workers", async () => {
  await web.start();
  await web.app("one");
  expect((await web.ctl("scale", "3")).stdout).toBe("Scaled from 1 to 3\n");
  await web.settled(3);
  expect((await web.ctl("scale", "-by", "-2")).stdout).toBe("Scaled from 3 to 1\n");
  await web.settled(1);
  expect(await web.ctl("scale", "-by", "-5000")).toMatchObject({ status: 2 });
});

describe("what is reported", () => {
  test("is shown by logs, once or as it arrives", async () => {
    await web.start();
    await web.app("one");
    await waitFor("the line", async () => (await web.ctl("logs")).stdout.includes("worker one serves"));
    const { stdout } = await web.ctl("logs", "-n", "1");
    const pid = (await web.ps())[0]?.pid;
    expect(stdout).toMatch(
      new RegExp(`^\\w{3} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{3} id=1 pid=${pid} worker one serves\\n$`),
    );
    const following = follow("logs", "-f", "-n", "0");
    // Whether it follows already cannot be seen from outside, so something is written until it does.
    await waitFor("the next worker's line", async () => {
      await web.app("two");
      return following.stdout().includes("worker two serves");
    });
    following.signal("SIGINT");
    expect((await following.ended).stderr).toBe("");
  });

  test("is shown by events, numbered, once or as it arrives", async () => {
    await web.start();
    const following = follow("events", "-json", "-from", "0");
    await web.app("one");
    await following.wrote("stdout", "rolloutComplete");
    const entries: EventEntry[] = following
      .stdout()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, index) => (entries[0]?.seq ?? 0) + index));
    const held = await web.ctl("events", "-once", "-json", "-from", String(entries[1]?.seq));
    expect(held.status).toBe(0);
    expect(JSON.parse(held.stdout.split("\n")[0] ?? "")).toEqual(entries[1]);
    expect((await web.ctl("events", "-once")).stdout).toContain("Rolled out generation 1");
    following.signal("SIGTERM");
    await following.ended;
  });

  test("is shown by events from any point still held, by number or by time, and gaps are reported", async () => {
    await web.start("-linger", "0");
    // More than a thousand events, from workers that start as fast as a program can.
    await web.deploy("-ready", "delay:0", "--", "sleep", "600");
    const all = await web.events();
    expect(all[0]?.seq).toBe(1);
    const third = all[2];
    expect(await web.events("-since", "3")).toEqual(all.slice(2));
    expect(await web.events("-since", "1h")).toEqual(all);
    expect(await web.events("-since", third?.time ?? "")).toEqual(
      all.filter(({ time }) => time >= (third?.time ?? "")),
    );
    expect(await web.events("-since", "2999-01-01T00:00:00Z")).toEqual([]);
    expect(await web.events("-since", "900")).toEqual([
      { gap: { from: all.length + 1, to: 899 } },
    ] as unknown as EventEntry[]);
    // Each reload makes about eight events; a little over a thousand are held.
    const reload = async () => (await web.ctl("reload", "-wait")).status;
    const socket = web.path("web.ctl");
    const script = `import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); f = s.makefile("rw")
for n in range(700): f.write('{"jsonrpc":"2.0","id":1,"method":"scale","params":{"to":%d}}\\n' % (1 + n % 2)); f.flush(); f.readline()`;
    expect((await web.bench.run(["python3", "-c", script, socket])).stderr).toBe("");
    expect(await reload()).toBe(0);
    const [gap, oldest, ...later] = await web.events("-since", "1");
    expect(gap).toEqual({ gap: { from: 1, to: (oldest?.seq ?? 0) - 1 } } as unknown as EventEntry);
    expect(later.length).toBeGreaterThanOrEqual(1023);
    expect(later.map(({ seq }) => seq)).toEqual(later.map((_, index) => (oldest?.seq ?? 0) + 1 + index));
    expect((await web.events("-since", "1h"))[0]).toEqual({
      gap: { from: null, to: (oldest?.seq ?? 0) - 1 },
    } as unknown as EventEntry);
    expect((await web.ctl("events", "-once", "-since", "2")).stdout).toStartWith("Events 2 to ");
  });
});

describe("run -wait", () => {
  test("that is interrupted leaves the rollout running", async () => {
    await web.start();
    const waiting = follow("run", "-wait", "-start", "60", "--", "sh", "-c", "echo here; sleep 600");
    await waitFor("the worker", async () => (await web.ps())[0]?.state === "starting");
    waiting.signal("SIGINT");
    expect(await waiting.ended).toMatchObject({
      status: 130,
      stderr: expect.stringContaining("The rollout continues"),
    });
    expect((await web.ps())[0]?.state).toBe("starting");
  });

  test("prints the events of a failing deploy before its failure", async () => {
    await web.start();
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
    const { stdout } = await web.bench.run(["python3", "-c", script, web.path("web.ctl"), request]);
    expect(stdout.trim().split("\n").slice(-3)).toEqual(["workerGone", "rolloutRolledBack", "answer"]);
  });

  test("is answered although the supervisor is killed meanwhile", async () => {
    const crank = await web.start();
    const waiting = follow("run", "-wait", ...app("one"), "late");
    for (let kills = 0; kills < 3; kills++) {
      const supervisor = await waitFor("the supervisor", () => supervisorOf(crank));
      signal(supervisor, "SIGKILL");
      await waitFor("its end", () => !isAlive(supervisor));
    }
    expect(await waiting.ended).toMatchObject({ status: 0, stdout: expect.stringContaining(" deployed in ") });
  });
});

describe("shutdown", () => {
  test("-wait is answered when the last worker is gone, and then crank ends", async () => {
    const crank = await web.start();
    await web.app("one", "-instances", "2");
    const pids = (await web.ps()).map((worker) => worker.pid);
    expect(await web.ctl("shutdown", "-wait")).toEqual({ status: 0, stdout: "Shut down\n", stderr: "" });
    expect(pids.map(isAlive)).toEqual([false, false]);
    expect((await crank.ended).status).toBe(0);
    expect(await web.ctl("ps")).toMatchObject({
      status: 3,
      stderr: expect.stringContaining(": couldn't connect: "),
    });
  });

  test("refuses a deploy while it is in progress", async () => {
    await web.start();
    await web.app(["deaf", "deaf"], "-stop", "600");
    expect((await web.ctl("shutdown")).stdout).toBe("Shutting down, workers left: 1\n");
    expect(await web.app("two")).toMatchObject({ status: 1, stderr: "crankctl run: Manager is shutting down\n" });
    expect(await web.ctl("shutdown", "-wait")).toMatchObject({ status: 0 });
  });
});

test("a control socket on tcp answers only clients that know its secret", async () => {
  const [port = 0] = await freePorts(1);
  const uri = `127.0.0.1:${port}`;
  const crank = await web.startWith({ env: { CRANK_CTL_TOKEN: "secret" } }, "-ctl", uri);
  const withToken = (token: string | undefined, ...args: string[]) =>
    web.bench.run([CRANKCTL, "-ctl", uri, ...args], { env: { CRANK_CTL_TOKEN: token } });
  expect(await withToken("secret", "ps")).toMatchObject({ status: 0 });
  expect(await withToken("secret", "run", "-wait", ...app("one"))).toMatchObject({ status: 0 });
  expect(await withToken("guess", "ps", "-json")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("crankctl "),
  });
  expect(await withToken(undefined, "ps")).toMatchObject({ status: 2, stdout: "" });
  // More strangers than there are connections: each is disconnected, most with a reason, and the owner gets in.
  const script = `import socket, sys
strangers = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(1100)]
def last_words(stranger):
    try:
        stranger.sendall(b'{"jsonrpc":"2.0","id":1,"method":"ps"}\\n')
        return stranger.makefile("rb").read()
    except OSError:
        return b""
print(any(b'"code":3' in last_words(stranger) for stranger in strangers))`;
  expect((await web.bench.run(["python3", "-c", script, String(port)])).stdout).toBe("True\n");
  expect(await withToken("secret", "ps")).toMatchObject({ status: 0 });
  expect(await withToken("secret", "shutdown", "-wait")).toMatchObject({ status: 0 });
  expect((await crank.ended).status).toBe(0);
});

test("crankx deploys to every service of a prefix, and stops at the first that fails", async () => {
  await web.bench.crank("web-a", ["-bind", "127.0.0.1:0"]);
  await web.bench.crank("web-b", ["-bind", "127.0.0.1:0"]);
  const crankx = (...args: string[]) => web.bench.run([CRANKX, ...args], { env: { CRANK_PREFIX: web.directory } });
  expect(await crankx("web-", "run", "-wait", ...app("one"))).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(
      /^For web-a\n[\s\S]*web-a: generation 1 deployed in .*: 1 of 1 ready\nFor web-b\n[\s\S]*web-b: generation 1 deployed in .*: 1 of 1 ready\n$/,
    ),
  });
  const failed = await crankx("web-", "run", "-wait", ...app("two", "exit-3"));
  expect(failed).toMatchObject({ status: 1, stdout: expect.stringContaining("For web-a\n") });
  expect(failed.stderr).toMatch(
    /^web-a: generation 2 failed after .* s: worker \d+ exited with status 3 before it was ready; generation 1 keeps serving \(1 of 1\)\n/,
  );
  expect(failed.stderr).toContain("the last words of two");
  expect(failed.stderr).toContain("not done: web-b");
  expect((await crankx("-parallel", "2", "web-", "reload", "-wait")).status).toBe(0);
});
