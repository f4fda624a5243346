// What a worker gets from crank, where its output goes, and rollouts as their workers see them.
import { beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { needing, ROOT_USER } from "../../needs.ts";
import { RESPONDER } from "../harness/apps.ts";
import { CRANK, type Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { environmentOf } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { Talk } from "../harness/talk.ts";
import { waitFor } from "../harness/wait.ts";

/** The bit of open(2) on Linux. */
const O_NONBLOCK = 0o4000;

const web = eachTest(new Service({ app: RESPONDER }));

describe("a worker gets", () => {
  test("its sockets, its names and its numbers, and nothing that was meant for crank", async () => {
    const crank = await web.launch(
      [...web.crankCommand().slice(0, -1), "127.0.0.1:0?name=http", "-bind", web.path("web.sock")],
      {
        env: {
          LISTEN_PID: "1",
          LISTEN_FDS: "7",
          NOTIFY_SOCKET: "/run/nobody",
          WATCHDOG_USEC: "5",
          CRANK_CTL_TOKEN: "secret",
          KEPT: "yes",
        },
      },
    );
    const started = await web.ctl("run", "--", "sleep", "600");
    expect(started).toMatchObject({ status: 0 });
    const worker = await web.started();
    const env = environmentOf(worker.pid);
    expect(Object.fromEntries(env)).toMatchObject({
      LISTEN_FDS: "2",
      LISTEN_PID: String(worker.pid),
      LISTEN_FDNAMES: "http:socket1",
      EINHORN_FDS: "3",
      EINHORN_FD_COUNT: "2",
      EINHORN_FD_0: "3",
      EINHORN_FD_1: "4",
      EINHORN_MASTER_PID: String(crank.pid),
      EINHORN_CHILD_INDEX: "0",
      EINHORN_SOCK_PATH: web.path("web.ctl"),
      NOTIFY_FD: "5",
      CRANK_NAME: "web",
      CRANK_GENERATION: "1",
      CRANK_WORKER: "1",
      STOP_TIMEOUT_USEC: "30000000",
      KEPT: "yes",
    });
    expect(env.get("NOTIFY_SOCKET")).toBe(web.path("web.run/notify/000001"));
    expect(env.has("WATCHDOG_USEC")).toBe(false);
    expect(env.has("CRANK_CTL_TOKEN")).toBe(false);
    const status = readFileSync(`/proc/${worker.pid}/status`, "utf8");
    expect(status).toMatch(/^SigBlk:\t0+$/m);
    expect(status).toMatch(/^SigIgn:\t0+$/m);
    expect(readFileSync(`/proc/${worker.pid}/stat`, "utf8").split(") ")[1]?.split(" ")[2]).toBe(String(worker.pid));
  });

  needing(ROOT_USER).test(
    "the user, groups, umask, limits, directory and environment that were asked for",
    async () => {
      await web.startWith({ env: { GONE: "1" } });
      const flags = [
        "-user",
        "nobody",
        "-umask",
        "027",
        "-limit",
        "nofile=123",
        "-env",
        "A=b c",
        "-env",
        "CRANK_WORKER=mine",
        "-unset-env",
        "GONE",
        "-cwd",
        "/",
      ];
      await web.ctl("run", ...flags, "--", "sleep", "600");
      const worker = await web.started();
      const env = environmentOf(worker.pid);
      expect(env.get("A")).toBe("b c");
      // systemd.exec(5), for User= and WorkingDirectory=.
      expect(env.get("USER")).toBe("nobody");
      expect(env.get("LOGNAME")).toBe("nobody");
      const nobody = readFileSync("/etc/passwd", "utf8")
        .match(/^nobody:.*$/m)?.[0]
        .split(":");
      expect(env.get("HOME")).toBe(nobody?.[5]);
      expect(env.get("SHELL")).toBe(nobody?.[6]);
      expect(env.get("PWD")).toBe("/");
      expect(env.get("CRANK_WORKER")).toBe("mine");
      expect(env.has("GONE")).toBe(false);
      const status = readFileSync(`/proc/${worker.pid}/status`, "utf8");
      expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
      expect(status).toMatch(/^Gid:\t65534/m);
      expect(status).toMatch(/^Umask:\t0027$/m);
      expect(readFileSync(`/proc/${worker.pid}/limits`, "utf8")).toMatch(/^Max open files\s+123\s+123/m);
      expect(statSync(join(web.directory, "web.run/notify", String(worker.id).padStart(6, "0"))).uid).toBe(65534);
      expect(statSync(web.path("web.run/journal")).mode & 0o777).toBe(0o600);
    },
  );

  test("a socket that crank itself was given", async () => {
    const script = `import os,socket,sys
s=socket.socket(); s.bind(("127.0.0.1",0)); s.listen(); os.dup2(s.fileno(),7,inheritable=True)
print(s.getsockname()[1], flush=True)
os.execv(sys.argv[1], sys.argv[1:])`;
    const crank = await web.launch(["python3", "-c", script, CRANK, ...web.own, "-bind", "fd://7"]);
    expect(await web.app("given")).toMatchObject({ status: 0 });
    await crank.wrote("stdout", "\n");
    const port = Number(crank.stdout().split("\n")[0]);
    const talk = await Talk.open(port);
    await talk.isEnded();
    expect(talk.heard).toStartWith("given");
  });
});

test("sockets that ask for O_NONBLOCK have it, and others do not", async () => {
  const path = web.path("app.sock");
  await web.startOn(["127.0.0.1:0?nonblock", `${path}?nonblock`, "127.0.0.1:0", `${path}2`]);
  expect(await web.run("-ready", "delay:0", "--", "sleep", "600")).toMatchObject({
    status: 0,
  });
  const { pid } = await web.ready();
  const blocks = (fd: number): boolean => {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8"))?.[1] ?? "";
    return (Number.parseInt(flags, 8) & O_NONBLOCK) === 0;
  };
  expect([3, 4, 5, 6].map(blocks)).toEqual([false, false, true, true]);
});

needing(ROOT_USER).test(
  "socket options and file modes are set, and status shows each socket with its queue",
  async () => {
    const path = web.path("app.sock");
    await web.startOn(["127.0.0.1:0?backlog=17&name=a", `${path}?mode=0660&group=nogroup`, "udp://127.0.0.1:0"]);
    const status = statSync(path);
    expect(status.mode & 0o777).toBe(0o660);
    expect(status.gid).toBe(65534);
    const { sockets } = await web.status();
    expect(sockets).toHaveLength(3);
    expect(sockets[0]).toMatchObject({ name: "a", queue: 0, limit: 17 });
    expect(sockets[1]).toMatchObject({ name: "socket1", queue: 0, limit: 4096 });
  },
);

describe("output", () => {
  const chatter = ["sh", "-c", 'echo "hello \\"you\\""; echo oops >&2; exec sleep 600'];

  test("as text has the time, the worker's number and its pid before each line, and logs shows the last lines", async () => {
    const crank = await web.start();
    await web.ctl("run", "--", ...chatter);
    await waitFor("both lines", () => crank.stdout().split("\n").length === 3);
    const { pid } = await web.started();
    await crank.wrote(
      "stdout",
      new RegExp(`^[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{3} id=1 pid=${pid} hello "you"$`, "m"),
    );
    const logs = await web.ctl("logs", "-n", "1");
    expect(logs.stdout).toContain("oops");
    expect(logs.stdout).not.toContain("hello");
  });

  test("as json is one object a line", async () => {
    const crank = await web.start("-log-format", "json");
    await web.ctl("run", "--", ...chatter);
    await waitFor("both lines", () => crank.stdout().split("\n").length === 3);
    const { pid } = await web.started();
    expect(JSON.parse(crank.stdout().split("\n")[0] ?? "")).toMatchObject({
      service: "web",
      id: 1,
      generation: 1,
      pid,
      line: 'hello "you"',
    });
    const first = crank
      .stderr()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(first[0]).toMatchObject({ level: "info", service: "web" });
  });

  test("as raw goes straight to crank's own stdout and stderr", async () => {
    const crank = await web.start("-log-format", "raw");
    await web.ctl("run", "--", ...chatter);
    await waitFor("both lines", () => crank.stdout() === 'hello "you"\n' && crank.stderr().includes("oops\n"));
    expect((await web.ctl("logs")).status).toBe(1);
  });

  test("is followed by logs -f", async () => {
    await web.start();
    await web.ctl("run", "--", "sh", "-c", "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.05; done");
    const follower = web.bench.start(web.ctlCommand("logs", "-f"));
    await waitFor("twenty lines", () => follower.stdout().split("\n").length > 20);
    const numbers = [...follower.stdout().matchAll(/line (\d+)\n/g)].map((match) => Number(match[1]));
    expect(numbers).toEqual(Array.from(numbers, (_, index) => (numbers[0] ?? 0) + index));
    follower.signal("SIGINT");
    await follower.ended;
  });
});

describe("rollouts", () => {
  let crank: Running;
  beforeEach(async () => {
    crank = await web.start();
  });

  test("history lists the good ones, and rollback returns to one", async () => {
    for (const version of ["one", "two", "three"]) await web.app(version);
    const list = await web.history();
    expect(list.map((entry) => [entry.generation, entry.current])).toEqual([
      [1, false],
      [2, false],
      [3, true],
    ]);
    expect(await web.ctl("rollback", "-wait", "-to", "1")).toMatchObject({ status: 0 });
    expect((await web.ctl("ps")).stdout).toContain("responder-static one");
    expect(await web.ctl("rollback", "-to", "77")).toMatchObject({ status: 1 });
  });

  test("a second one is refused while one is in progress, unless it supersedes it", async () => {
    await web.app("one");
    const hanging = web.app(["stuck", "never-ready"]);
    await waitFor("the second worker", async () => (await web.ps()).length === 2);
    const refused = await web.app("two");
    expect(refused).toMatchObject({ status: 1 });
    expect(refused.stderr).toContain("New process is already being started");
    expect(await web.app("three", "-supersede")).toMatchObject({ status: 0 });
    expect((await hanging).status).toBe(1);
    await web.settled(1);
    expect((await web.ctl("ps")).stdout).toContain("responder-static three");
  });

  test("-pid refuses when another worker runs", async () => {
    await web.app("one");
    const { pid } = await web.ready();
    const refused = await web.app("two", "-pid", "1");
    expect(refused).toMatchObject({ status: 1 });
    expect(refused.stderr).toContain(`Passed pid (1) doesn't match the current pid (${pid})`);
    expect(await web.app("two", "-pid", String(pid))).toMatchObject({ status: 0 });
  });

  test("retries start another worker after one has failed, and a deadline ends a rollout", async () => {
    await web.app("one");
    const failed = await web.app(["bad", "exit-3"], "-retries", "2");
    expect(failed.status).toBe(1);
    await waitFor(
      "three failures",
      () => [...crank.stderr().matchAll(/failed: it exited with status 3/g)].length === 3,
    );
    const late = await web.app(["slow", "never-ready"], "-deadline", "0.5");
    expect(late.status).toBe(1);
    expect((await web.ready()).state).toBe("ready");
  });

  test("scale changes the number of workers, up and down", async () => {
    await web.app("one");
    expect(await web.ctl("scale", "3")).toMatchObject({ status: 0 });
    await web.settled(3);
    expect(await web.ctl("scale", "1")).toMatchObject({ status: 0 });
    await web.settled(1);
  });

  test("shutdown -wait returns when the last worker is gone", async () => {
    await web.app("one");
    const { pid } = await web.ready();
    expect(await web.ctl("shutdown", "-wait")).toMatchObject({ status: 0 });
    expect(() => readFileSync(`/proc/${pid}/stat`)).toThrow();
    expect(await crank.ended).toMatchObject({ status: 0 });
    expect(web.port).toBeGreaterThan(0);
  });

  test("kill -wait returns when the signalled worker is gone", async () => {
    await web.app("one");
    const { pid } = await web.ready();
    expect(await web.ctl("kill", "-ready", "-signal", "nope")).toMatchObject({ status: 1 });
    expect(await web.ctl("kill", "-ready", "-signal", "kill", "-wait")).toMatchObject({ status: 0 });
    expect(() => readFileSync(`/proc/${pid}/stat`)).toThrow();
  });
});
