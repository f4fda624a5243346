// crank from outside, with real workers: deploys, stops, signals, and what ends it.
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needing } from "../../needs.ts";
import { RESPONDER } from "../harness/apps.ts";
import { ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive, signal, supervisorOf } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const HANGING_DISK = join(ROOT, "test/apps/hanging-disk.py");
const FANOTIFY = {
  name: "root with fanotify",
  isMet: spawnSync("python3", [HANGING_DISK, tmpdir(), "--check"]).status === 0,
};

const web = eachTest(new Service({ app: RESPONDER }));

/** The service's answer to a new connection. */
const asked = async (): Promise<{ version: string; pid: number }> => {
  const [version = "", pid = ""] = (await web.ask()).trim().split(" ");
  return { version, pid: Number(pid) };
};

describe("a deploy", () => {
  test("replaces the old worker by the new one, and stops it only then", async () => {
    await web.start();
    expect(await web.app("one")).toMatchObject({ status: 0, stdout: expect.stringContaining(" deployed in ") });
    const first = await asked();
    expect(first.version).toBe("one");
    expect(await web.app("two")).toMatchObject({ status: 0 });
    await waitFor("the old worker to be gone", async () => !isAlive(first.pid) && (await web.ps()).length === 1);
    await web.answers("two");
  });

  test.each([
    [
      "exits before it is ready",
      ["exit-3"],
      "exited with status 3 before it was ready; generation 1 keeps serving (1 of 1)\n",
    ],
    [
      "exits with status 0 before it is ready",
      ["exit-0"],
      "exited with status 0 before it was ready; generation 1 keeps serving (1 of 1)\n",
    ],
  ])("whose worker %s fails, says so, and leaves the old worker serving", async (_, misdeeds, message) => {
    await web.start();
    await web.app("good");
    const before = readFileSync(web.path("web.conf"), "utf8");
    const failed = await web.app(["bad", ...misdeeds]);
    expect(failed.status).toBe(1);
    expect(failed.stderr).toMatch(/^web: generation 2 failed after /);
    expect(failed.stderr).toContain(message);
    expect((await asked()).version).toBe("good");
    expect(readFileSync(web.path("web.conf"), "utf8")).toBe(before);
    if (misdeeds.includes("exit-3")) expect(failed.stderr + failed.stdout).toContain("the last words of bad");
  });

  test("that never becomes ready leaves the old worker serving, and the new one is gone", async () => {
    await web.start();
    await web.app("good");
    const failed = await web.app(["bad", "never-ready"], "-start", "6");
    expect(failed.status).toBe(1);
    expect(failed.stdout + failed.stderr).toContain("the last words of bad");
    expect((await asked()).version).toBe("good");
    expect(await web.ps()).toHaveLength(1);
  });

  test.each([
    ["an unknown command", ["/no/such/program"], "command not found: /no/such/program"],
    [
      "a command that is not in PATH",
      ["no-such-program-anywhere"],
      "command not found: no-such-program-anywhere (PATH ",
    ],
    ["a file that is not executable", ["/etc/passwd"], "permission denied"],
  ])("of %s fails at once, and says why", async (_, command, reason) => {
    await web.start();
    await web.app("good");
    const failed = await web.run("--", ...command);
    expect(failed.status).toBe(1);
    expect(failed.stderr).toMatch(/^web: generation 2 failed after /);
    expect(failed.stdout + failed.stderr).toContain(reason);
    expect((await asked()).version).toBe("good");
  });

  test("in a directory that is gone fails at once, and says so", async () => {
    await web.start();
    const failed = await web.app("x", "-cwd", web.path("gone"));
    expect(failed.status).toBe(1);
    expect(failed.stdout + failed.stderr).toContain("cannot change to the directory");
  });

  test("is ready through NOTIFY_SOCKET as well, with other assignments around READY=1", async () => {
    await web.start();
    expect(await web.app(["path", "path"])).toMatchObject({ status: 0 });
    expect((await asked()).version).toBe("path");
  });

  test("whose worker sends nonsense and floods its notify socket is still answered correctly", async () => {
    await web.start();
    expect(await web.app(["loud", "garbage", "twice"])).toMatchObject({ status: 0 });
    expect((await asked()).version).toBe("loud");
    expect((await web.ps())[0]?.state).toBe("ready");
  });

  test("of a pool replaces every worker, never with fewer than wanted", async () => {
    await web.start();
    expect(await web.app("one", "-instances", "3")).toMatchObject({ status: 0 });
    const old = (await web.ps()).map((worker) => worker.pid);
    expect(old).toHaveLength(3);
    expect(await web.app("two")).toMatchObject({ status: 0 });
    const workers = await web.settled(3);
    expect(old.some(isAlive)).toBe(false);
    expect(workers.every((worker) => worker.command.includes("two"))).toBe(true);
    expect((await asked()).version).toBe("two");
  });
});

describe("between deploys", () => {
  test("a worker that ignores SIGTERM is killed when its stop timeout is over", async () => {
    await web.start();
    await web.app(["deaf", "deaf"], "-stop", "0.3");
    const old = (await web.ready()).pid;
    expect(await web.app("next")).toMatchObject({ status: 0 });
    await waitFor("the deaf worker to be killed", () => !isAlive(old));
  });

  test("a listener that a worker has shut down listens again", async () => {
    const crank = await web.start();
    await web.app("good");
    await web.app(["saboteur", "shutdown"]);
    await crank.wrote("stderr", "it listens again");
    await web.answers("saboteur");
  });

  test("crank ends with status 0 after SIGTERM, and reloads on a SIGHUP before that", async () => {
    const crank = await web.start();
    await web.app("one");
    const { pid } = await asked();
    crank.signal("SIGHUP");
    const next = await web.ready(pid);
    expect(next.command).toContain("one");
    crank.signal("SIGTERM");
    expect(await crank.ended).toMatchObject({ status: 0 });
    expect(isAlive(next.pid)).toBe(false);
  });

  test("SIGHUPs in the middle of a deploy cause one reload after it", async () => {
    const crank = await web.start();
    const gate = web.path("gate");
    const held = web.app(["one", "held"], "-env", `HOLD=${gate}`);
    await waitFor("the start", async () => (await web.ps()).length > 0);
    for (let time = 0; time < 3; time++) crank.signal("SIGHUP");
    writeFileSync(gate, "");
    expect(await held).toMatchObject({ status: 0 });
    await crank.wrote("stderr", "Rolled out generation 2");
    expect((await asked()).version).toBe("one");
    expect(crank.stderr()).not.toContain("Rolling out generation 3");
  });

  test("a worker's acknowledgement on the control socket makes it ready, whatever front end it was written for", async () => {
    await web.start();
    expect(await web.app(["acknowledging", "acknowledge"])).toMatchObject({ status: 0 });
    expect((await asked()).version).toBe("acknowledging");
  });

  test("a second SIGTERM starts the next stop step early", async () => {
    const crank = await web.start();
    await web.app(["deaf", "deaf"], "-stop", "600");
    crank.signal("SIGTERM");
    await waitFor("the first step", async () => (await web.ps())[0]?.state === "stopping");
    crank.signal("SIGTERM");
    expect((await crank.ended).status).toBe(0);
  });

  test("crank without -respawn ends with its last worker, and its status tells how that ended", async () => {
    const crank = await web.start();
    await web.app(["mortal", "dies"]);
    expect((await crank.ended).status).toBe(1);
  });

  test("a pool restarts a worker that dies, and warns of its end", async () => {
    const crank = await web.start();
    await web.app("one", "-instances", "2");
    const pid = (await web.ready()).pid;
    process.kill(pid, "SIGKILL");
    await waitFor("the next worker", async () => (await web.settled(2)).every((worker) => worker.pid !== pid));
    await crank.wrote("stderr", /WARNING: Worker \d+ \(pid \d+, generation 1\) was killed by SIGKILL \(unexpected\)/);
  });

  test("with -respawn=false a pool that loses a worker stays smaller", async () => {
    const crank = await web.start("-respawn=false");
    await web.app("one", "-instances", "2");
    process.kill((await web.ready()).pid, "SIGKILL");
    await waitFor("one worker", async () => (await web.ps()).length === 1);
    process.kill((await web.ready()).pid, "SIGKILL");
    expect((await crank.ended).status).toBe(1);
  });

  test("with -respawn a worker that dies is restarted", async () => {
    await web.start("-respawn");
    await web.app("one");
    const { pid } = await asked();
    process.kill(pid, "SIGKILL");
    const next = await web.ready(pid);
    expect(isAlive(next.pid)).toBe(true);
    expect(await asked()).toEqual({ version: "one", pid: next.pid });
  });

  test("the recorded run is started after a restart, and the record's other keys are the original's", async () => {
    const first = await web.start();
    await web.app("one", "-start", "7", "-stop", "9");
    first.signal("SIGTERM");
    await first.ended;
    expect(JSON.parse(readFileSync(web.path("web.conf"), "utf8"))).toMatchObject({
      cwd: web.directory,
      command: [...RESPONDER, "one"],
      start_timeout: 7e9,
      stop_timeout: 9e9,
    });
    await web.start();
    expect(await web.ready()).toMatchObject({ command: [...RESPONDER, "one"] });
    expect((await asked()).version).toBe("one");
  });

  test("crank runs a record of the original crank", async () => {
    writeFileSync(
      web.path("web.conf"),
      JSON.stringify({ cwd: "", command: [...RESPONDER, "old"], start_timeout: 60e9, stop_timeout: 0 }),
    );
    await web.start();
    await web.ready();
    expect((await asked()).version).toBe("old");
  });

  test("a deploy whose record cannot be written stands, and the failure is reported", async () => {
    const crank = await web.start();
    await web.app("one");
    // Other users could exchange its contents: as unwritable as a full disk, for root too.
    chmodSync(web.directory, 0o777);
    const deployed = await web.app("two");
    expect(deployed.status).toBe(0);
    expect(deployed.stdout + deployed.stderr).toContain("could not be recorded");
    await crank.wrote("stderr", "could not be written");
    await web.answers("two");
    expect(readFileSync(web.path("web.conf"), "utf8")).toContain("one");
  });

  needing(FANOTIFY).test("a record that takes long to write delays only the deploy's answer", async () => {
    const disk = web.path("disk");
    mkdirSync(disk);
    const crank = await web.start("-conf", join(disk, "conf"));
    await web.app("one");
    const hanging = web.bench.start(["python3", HANGING_DISK, disk]);
    await hanging.wrote("stdout", "hangs");
    let isAnswered = false;
    const deployed = web.app("two").finally(() => {
      isAnswered = true;
    });
    await web.answers("two");
    const waiting = async (): Promise<boolean> =>
      (await web.ps()).some(({ state, command }) => state === "ready" && command.includes("two"));
    await waitFor("the new worker to be alone", async () => (await web.ps()).length === 1 && (await waiting()));
    expect(isAnswered).toBe(false);
    hanging.signal("SIGTERM");
    expect(await deployed).toMatchObject({ status: 0 });
    expect(readFileSync(join(disk, "conf"), "utf8")).toContain("two");
    expect(crank.stderr()).not.toContain("supervisor");
  });

  test("orphans of workers are reaped", async () => {
    const crank = await web.start();
    await web.ctl("run", "--", "sh", "-c", "(sleep 0.1 & echo $! > orphan; exit) ; exec sleep 600");
    const orphan = await waitFor("the orphan's pid", () => {
      const [, pid] = existsSync(web.path("orphan"))
        ? (/^(\d+)\n$/.exec(readFileSync(web.path("orphan"), "utf8")) ?? [])
        : [];
      return pid !== undefined && Number(pid);
    });
    await waitFor("the orphan to exit", () => !existsSync(`/proc/${orphan}`));
    expect(isAlive(crank.pid)).toBe(true);
  });
});

describe("the supervisor", () => {
  test("that is killed is replaced, and clients and workers do not notice", async () => {
    const crank = await web.start("-linger", "60");
    await web.app("one");
    const { pid } = await asked();
    for (let round = 0; round < 5; round++) {
      const supervisor = await waitFor("a supervisor", () => supervisorOf(crank));
      signal(supervisor, "SIGKILL");
      await waitFor("the next supervisor", () => {
        const next = supervisorOf(crank);
        return next !== undefined && next !== supervisor;
      });
      expect(await asked()).toEqual({ version: "one", pid });
      expect((await web.ps()).map((worker) => worker.pid)).toEqual([pid]);
    }
  });

  test("sleeps when nothing happens, and a request wakes it", async () => {
    const crank = await web.start("-linger", "0.1");
    await web.app("one");
    await waitFor("the supervisor to sleep", () => supervisorOf(crank) === undefined);
    expect(await web.ps()).toHaveLength(1);
    await waitFor("the supervisor to sleep again", () => supervisorOf(crank) === undefined);
  });

  test("that is killed in the middle of a deploy is replaced by one that answers it", async () => {
    const crank = await web.start("-linger", "60");
    await web.app("one");
    const gate = web.path("gate");
    const deploy = web.app(["slow", "held"], "-env", `HOLD=${gate}`);
    await waitFor("the new worker", async () => (await web.ps()).length === 2);
    const supervisor = await waitFor("the supervisor", () => supervisorOf(crank));
    signal(supervisor, "SIGKILL");
    await waitFor("its death", () => !isAlive(supervisor));
    writeFileSync(gate, "");
    expect(await deploy).toMatchObject({ status: 0, stdout: expect.stringContaining(" deployed in ") });
  });
});
