// What crank sends to the service manager that started it, and what it receives: against a stand-in for the manager that
// takes the real datagrams.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { RESPONDER } from "../harness/apps.ts";
import { CRANK, ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { installDamaged } from "../harness/installation.ts";
import { signal, supervisorOf } from "../harness/processes.ts";
import { RESPONDER_IN_PYTHON } from "../harness/python-apps.ts";
import { Service } from "../harness/service.ts";
import { ServiceManager } from "../harness/service-manager.ts";
import { waitFor } from "../harness/wait.ts";

const web = eachTest(new Service());

const BIND = ["-bind", "127.0.0.1:0"];

/** What an earlier crank would have recorded. */
const record = (...command: string[]): void =>
  writeFileSync(web.path("web.conf"), JSON.stringify({ cwd: "", command, start_timeout: 20e9, stop_timeout: 5e9 }));

describe("READY=1 is sent, with crank's pid,", () => {
  test("when the sockets are open and the record holds nothing", async () => {
    const manager = await ServiceManager.of(web.bench, BIND);
    const pid = await manager.startReady();
    expect(manager.said.at(-1)).toEqual({
      READY: "1",
      MAINPID: String(pid),
      STATUS: "Waiting for a first deploy (crankctl run)",
    });
    expect(manager.happened.some(({ kind }) => kind === "foreign")).toBe(false);
  });

  test("when the recorded run is available, and not before; the start may take as long as the worker may", async () => {
    const hold = web.path("hold");
    record(...RESPONDER, "v1", "held");
    const manager = await ServiceManager.of(web.bench, BIND, { env: { HOLD: hold } });
    manager.order("start");
    const { EXTEND_TIMEOUT_USEC: extended } = await manager.hears("EXTEND_TIMEOUT_USEC");
    expect(Number(extended)).toBeGreaterThan(20_000_000);
    await waitFor("the worker", async () => (await web.ctl("ps", "-starting")).stdout.includes("STARTING"));
    expect(manager.said.some(({ READY }) => READY === "1")).toBe(false);
    writeFileSync(hold, "");
    expect(await manager.hears("READY", "1")).toMatchObject({ STATUS: "Generation 1: 1 of 1 worker ready" });
  });

  test("never, when the recorded run fails: crank ends with status 1, after it has said why", async () => {
    record(...RESPONDER, "v1", "exit-3");
    const manager = await ServiceManager.of(web.bench, BIND);
    manager.order("start");
    expect((await manager.next("ended")).status).toBe(1);
    expect(manager.said.some(({ READY }) => READY === "1")).toBe(false);
    expect(manager.said.at(-1)?.STATUS).toContain("exited with status 3");
  });

  test("never, when crank cannot start: STATUS says why", async () => {
    const manager = await ServiceManager.of(web.bench, ["-bind", "fd://77"]);
    manager.order("start");
    expect((await manager.next("ended")).status).toBe(1);
    expect(manager.said.at(-1)).toMatchObject({ STOPPING: "1", STATUS: expect.stringContaining("fd://77") });
  });

  test("once, however often the supervisor is killed meanwhile", async () => {
    const manager = await ServiceManager.of(web.bench, [...BIND, "-linger", "0"]);
    const pid = await manager.startReady();
    for (const version of ["v1", "v2", "v3"]) {
      const done = web.run("--", ...RESPONDER, version);
      const supervisor = await waitFor("a supervisor", () => supervisorOf({ pid }) ?? false);
      signal(supervisor, "SIGKILL");
      expect((await done).status).toBe(0);
    }
    await manager.hears("STATUS", /^Generation 3: 1 of 1 worker ready$/);
    expect(manager.said.filter(({ READY }) => READY === "1")).toHaveLength(1);
    expect(manager.said.filter(({ FDSTORE }) => FDSTORE === "1")).toHaveLength(1);
  });
});

describe("SIGHUP", () => {
  test("is answered by RELOADING=1 with a later time, and by READY=1 when the new workers serve", async () => {
    const manager = await ServiceManager.of(web.bench, BIND);
    await manager.startReady();
    await web.run("--", ...RESPONDER, "v1");
    manager.order("signal SIGHUP");
    const { at } = await manager.next("signalling");
    expect(Number((await manager.hears("RELOADING", "1")).MONOTONIC_USEC)).toBeGreaterThanOrEqual(at);
    await manager.hears("STATUS", /rolling out generation 2/);
    await manager.hears("READY", "1");
    expect((await web.ctl("status")).stdout).toContain("generation 2");
  });

  test("is answered by both even when there is nothing to reload", async () => {
    const manager = await ServiceManager.of(web.bench, BIND);
    await manager.startReady();
    manager.order("signal SIGHUP");
    await manager.hears("RELOADING", "1");
    await manager.hears("READY", "1");
  });

  test("that leads to a failure is answered by READY=1 too, and STATUS shows the failure until a deploy succeeds", async () => {
    const manager = await ServiceManager.of(web.bench, BIND);
    await manager.startReady();
    const script = web.path("app.sh");
    writeFileSync(script, 'printf READY=1 >&"$NOTIFY_FD"; exec sleep 1000\n');
    await web.run("--", "sh", script);
    writeFileSync(script, "exit 7\n");
    manager.order("signal SIGHUP");
    await manager.hears("RELOADING", "1");
    const { STATUS: status } = await manager.hears("READY", "1");
    expect(status).toMatch(/^Generation 1: 1 of 1 worker ready; last failure: .*exited with status 7/);
    await web.run("--", ...RESPONDER, "v2");
    await manager.hears("STATUS", "Generation 3: 1 of 1 worker ready");
  });
});

describe("WATCHDOG=1", () => {
  test("is sent at half the interval while no supervisor is awake", async () => {
    const manager = await ServiceManager.of(web.bench, [...BIND, "-linger", "0"], { env: { WATCHDOG_USEC: "200000" } });
    const pid = await manager.startReady();
    await waitFor("sleep", () => supervisorOf({ pid }) === undefined);
    const beats = () => manager.happened.filter(({ said }) => said?.WATCHDOG === "1").length;
    const before = beats();
    await waitFor("heartbeats", () => {
      expect(supervisorOf({ pid })).toBeUndefined();
      return beats() > before + 4;
    });
  });

  test("is not sent when the watchdog belongs to another process", async () => {
    const other = ["sh", "-c", 'WATCHDOG_PID=1 exec "$@"', "sh", CRANK];
    const manager = await ServiceManager.of(web.bench, BIND, { env: { WATCHDOG_USEC: "1000" }, command: other });
    await manager.startReady();
    await web.run("--", ...RESPONDER, "v1");
    expect(manager.happened.some(({ said }) => said?.WATCHDOG === "1")).toBe(false);
  });
});

describe("on SIGTERM crank sends STOPPING=1", () => {
  test("and how long its workers may take, and removes its sockets from the store", async () => {
    const manager = await ServiceManager.of(web.bench, BIND);
    await manager.startReady();
    await web.run("-stop", "4000", "--", ...RESPONDER, "v1");
    manager.order("store");
    expect((await manager.next("store")).names).toHaveLength(1);
    manager.order("signal SIGTERM");
    await manager.hears("STOPPING", "1");
    const { EXTEND_TIMEOUT_USEC: extended } = await manager.hears("EXTEND_TIMEOUT_USEC");
    expect(Number(extended)).toBeGreaterThan(4_000_000_000);
    expect((await manager.next("ended")).status).toBe(0);
    manager.order("store");
    expect((await manager.next("store")).names).toEqual([]);
  });
});

describe("a NOTIFY_SOCKET", () => {
  test("that is abstract is used", async () => {
    const manager = await ServiceManager.of(web.bench, BIND, { socket: `@${web.directory}` });
    await manager.startReady();
  });

  test.each(["/no/such/socket", "@nobody-is-there", "vsock:2:1234", `/${"x".repeat(200)}`])(
    "that cannot be reached (%j) does not stop crank, and is named in the log",
    async (socket) => {
      const running = await web.startWith({ env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "1000000" } });
      expect((await web.run("--", ...RESPONDER, "v1")).status).toBe(0);
      await running.wrote("stderr", `WARNING: NOTIFY_SOCKET=${socket}`);
      running.signal("SIGTERM");
      expect((await running.ended).status).toBe(0);
    },
  );

  test("that goes away and comes back gets everything again", async () => {
    const manager = await ServiceManager.of(web.bench, BIND);
    await manager.startReady();
    manager.order("close");
    await manager.next("closed");
    await web.run("--", ...RESPONDER, "v1");
    await waitFor("a warning", () => manager.log.includes("crank continues, and retries"));
    manager.order("open");
    await manager.hears("FDSTORE", "1");
    await manager.hears("STATUS", "Generation 1: 1 of 1 worker ready");
  });

  test("that is full delays nothing, and gets the present state when there is room", async () => {
    const manager = await ServiceManager.of(web.bench, BIND);
    await manager.startReady();
    manager.order("deaf");
    await manager.next("deaf");
    // The kernel's queue takes net.unix.max_dgram_qlen datagrams, often 10 and under systemd 512.
    const room = Number(readFileSync("/proc/sys/net/unix/max_dgram_qlen", "utf8"));
    await web.run("--", "sh", "-c", 'printf READY=1 >&"$NOTIFY_FD"; exec sleep 1000');
    for (let scaled = 0; scaled <= room && !manager.log.includes("NOTIFY_SOCKET="); scaled += 2)
      for (const to of ["2", "1"]) expect((await web.ctl("scale", to)).status).toBe(0);
    await waitFor("a warning", () => /NOTIFY_SOCKET=.* resource temporarily unavailable/.test(manager.log));
    manager.order("hear");
    await manager.next("hearing");
    await waitFor("the state of things", () => {
      const last = manager.said.at(-1);
      return (
        manager.said.filter(({ READY }) => READY === "1").length > 1 &&
        last?.STATUS?.startsWith("Generation 1: 1 of 1 worker ready")
      );
    });
  });
});

test("under another program's name crank notifies the service manager as well, and a restart keeps its socket", async () => {
  const program = `exec ${ROOT}/bin/socketmaster -listen tcp://127.0.0.1:0 -start 100 -command python3 -- ${RESPONDER_IN_PYTHON[1]} v1`;
  const manager = await ServiceManager.of(web.bench, [], { command: ["sh", "-c", program] });
  manager.order("start");
  await manager.hears("FDSTORE", "1");
  expect(await manager.hears("READY", "1")).toMatchObject({ STATUS: "Generation 1: 1 of 1 worker ready" });
  const listening = () => [...manager.log.matchAll(/Listening on (tcp\S+)/g)].map((match) => match[1]);
  manager.order("restart SIGRTMIN+1");
  await waitFor("why", () =>
    manager.log.includes("the next crank could not find the workers; the workers are stopped instead"),
  );
  expect((await manager.next("started")).passed).toHaveLength(1);
  await manager.hears("READY", "1");
  await waitFor("both addresses in the log", () => listening().length === 2);
  expect(listening()[0]).toBe(listening()[1]);
});

describe("crank under a service manager", () => {
  test("does not pass the manager's environment to workers", async () => {
    const seen = web.path("environment");
    const env = { WATCHDOG_USEC: "60000000", FDSTORE: "16", LISTEN_PIDFDID: "1" };
    const manager = await ServiceManager.of(web.bench, ["-bind", "systemd"], { env });
    manager.order("listen http 127.0.0.1 0");
    const pid = await manager.startReady();
    await web.run(
      "--",
      "sh",
      "-c",
      `env >${seen}; echo pid=$$ >>${seen}; printf READY=1 >&"$NOTIFY_FD"; exec sleep 1000`,
    );
    const environment = new Map(
      readFileSync(seen, "utf8")
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const),
    );
    for (const name of ["WATCHDOG_USEC", "WATCHDOG_PID", "MAINPID", "LISTEN_PIDFDID"])
      expect(environment.has(name)).toBe(false);
    // The number of descriptors that crank keeps for its workers is its own.
    expect(environment.get("FDSTORE")).toBe("512");
    expect(environment.get("NOTIFY_SOCKET")).toContain("web.run/notify/");
    expect(environment.get("LISTEN_PID")).toBe(environment.get("pid"));
    expect(environment.get("LISTEN_PID")).not.toBe(String(pid));
    expect(environment.get("LISTEN_FDNAMES")).toBe("http");
  });

  test("puts priorities before the lines of the log when that is the journal, and only then", async () => {
    const lines = async (log: string, change: string): Promise<string[]> => {
      const running = web.bench.start(["sh", "-c", `${change}; exec "$@" 2>${log}`, "sh", ...web.crankCommand()]);
      await waitFor("crank", () => existsSync(log) && readFileSync(log, "utf8").includes("Listening on"));
      expect((await web.run("--", ...RESPONDER, "v1", "exit-3")).status).toBe(1);
      running.signal("SIGTERM");
      await running.ended;
      return readFileSync(log, "utf8").trim().split("\n");
    };
    const file = web.path("journal");
    const journal = await lines(file, `: >${file}; export JOURNAL_STREAM=$(stat -c %d:%i ${file})`);
    for (const line of journal) expect(line).toMatch(/^<[346]>\d{4}\/\d\d\/\d\d /);
    expect(journal.some((line) => /^<3>.*ERROR: .*exited with status 3/.test(line))).toBe(true);
    expect(journal.some((line) => /^<6>.*Listening on/.test(line))).toBe(true);
    const damaged = installDamaged(web.path("damaged"));
    const toFile = `: >${file}; export JOURNAL_STREAM=$(stat -c %d:%i ${file}); exec "$@" 2>${file}`;
    await web.bench.run(["sh", "-c", toFile, "sh", damaged, ...web.own, ...BIND]);
    expect(readFileSync(file, "utf8")).toMatch(
      /^<3>crank: the supervisor cannot be started: .*\/damaged\/bin\/crank$/m,
    );
    for (const line of await lines(web.path("log"), "export JOURNAL_STREAM=1:1")) expect(line).toMatch(/^\d{4}\//);
  });
});

test("Debian's systemd-notify reports a worker's readiness, and returns without delay", async () => {
  await web.start();
  const worker = "systemd-notify --ready --status=serving && exec sleep 1000";
  expect(await web.run("-start", "20", "--", "sh", "-c", worker)).toMatchObject({ status: 0 });
});
