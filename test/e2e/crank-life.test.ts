// crank from outside, with real workers: deploys, stops, signals, and what ends it.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needing } from "../needs.ts";
import { Bench, isAlive, portOf, ROOT, type Running, signal, supervisorOf, waitFor } from "./harness/service.ts";

const RESPONDER = join(ROOT, "test/apps/responder.py");
const HANGING_DISK = join(ROOT, "test/apps/hanging-disk.py");
const FANOTIFY = {
  name: "root with fanotify",
  isMet: spawnSync("python3", [HANGING_DISK, tmpdir(), "--check"]).status === 0,
};

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.clean());

/** What the service answers to a new connection: `VERSION PID`. */
const ask = (port: number): Promise<{ version: string; pid: number }> =>
  new Promise((resolve, reject) => {
    let text = "";
    connect(port, "127.0.0.1")
      .on("data", (bytes) => {
        text += bytes.toString();
      })
      .on("error", reject)
      .on("close", () => {
        const [version = "", pid = ""] = text.trim().split(" ");
        resolve({ version, pid: Number(pid) });
      });
  });

/** Waits until new connections reach VERSION: the one before may still accept until it has seen its stop signal. */
const servedBy = (version: string, port: number): Promise<unknown> =>
  waitFor(`an answer of ${version}`, async () => (await ask(port)).version === version);

const start = (...args: string[]): Promise<Running> => bench.crank("web", ["-bind", "127.0.0.1:0", ...args]);
const run = (version: string, misdeeds: string[] = [], flags: string[] = []) =>
  bench.ctl("web", "run", "-wait", ...flags, "--", "python3", RESPONDER, version, ...misdeeds);
const ps = async (): Promise<{ pid: number; state: string; generation: number; command: string[] }[]> =>
  JSON.parse((await bench.ctl("web", "ps", "-json")).stdout);

describe("a deploy", () => {
  test("puts the new worker in the place of the old one, which is stopped only then", async () => {
    const port = portOf(await start());
    expect(await run("one")).toMatchObject({ status: 0, stdout: "Started successfully\n" });
    const first = await ask(port);
    expect(first.version).toBe("one");
    expect(await run("two")).toMatchObject({ status: 0 });
    await waitFor("the old worker to be gone", async () => !isAlive(first.pid) && (await ps()).length === 1);
    expect((await ask(port)).version).toBe("two");
  });

  test.each([
    ["exits before it is ready", ["exit-3"], "Exited with code: 3"],
    ["exits with status 0 before it is ready", ["exit-0"], "Exited with code: 0"],
  ])("whose worker %s fails, says so, and the old worker serves on", async (_, misdeeds, message) => {
    const port = portOf(await start());
    await run("good");
    const before = readFileSync(join(bench.directory, "web.conf"), "utf8");
    const failed = await run("bad", misdeeds);
    expect(failed.status).toBe(1);
    expect(failed.stdout + failed.stderr).toContain(message);
    expect(failed.stderr).toContain("ERROR: command failed");
    expect((await ask(port)).version).toBe("good");
    expect(readFileSync(join(bench.directory, "web.conf"), "utf8")).toBe(before);
    if (misdeeds.includes("exit-3")) expect(failed.stderr + failed.stdout).toContain("the last words of bad");
  });

  test("that never gets ready leaves the old worker serving, and the new one is gone", async () => {
    const port = portOf(await start());
    await run("good");
    const failed = await run("bad", ["never-ready"], ["-start", "6"]);
    expect(failed.status).toBe(1);
    expect(failed.stdout + failed.stderr).toContain("the last words of bad");
    expect((await ask(port)).version).toBe("good");
    expect(await ps()).toHaveLength(1);
  });

  test.each([
    ["a command that does not exist", ["/no/such/program"], "command not found: /no/such/program"],
    [
      "a command that is not in PATH",
      ["no-such-program-anywhere"],
      "command not found: no-such-program-anywhere (PATH ",
    ],
    ["a file that is not executable", ["/etc/passwd"], "permission denied"],
  ])("of %s fails at once, and says why", async (_, command, reason) => {
    const port = portOf(await start());
    await run("good");
    const failed = await bench.ctl("web", "run", "-wait", "--", ...command);
    expect(failed.status).toBe(1);
    expect(failed.stdout + failed.stderr).toContain("Failed to start");
    expect(failed.stdout + failed.stderr).toContain(reason);
    expect((await ask(port)).version).toBe("good");
  });

  test("into a directory that is gone fails at once, and says so", async () => {
    await start();
    const failed = await run("x", [], ["-cwd", join(bench.directory, "gone")]);
    expect(failed.status).toBe(1);
    expect(failed.stdout + failed.stderr).toContain("cannot change to the directory");
  });

  test("is ready through NOTIFY_SOCKET as well, with other assignments around READY=1", async () => {
    const port = portOf(await start());
    expect(await run("path", ["path"])).toMatchObject({ status: 0 });
    expect((await ask(port)).version).toBe("path");
  });

  test("whose worker talks nonsense and floods its notify socket is still answered rightly", async () => {
    const port = portOf(await start());
    expect(await run("loud", ["garbage", "twice"])).toMatchObject({ status: 0 });
    expect((await ask(port)).version).toBe("loud");
    expect((await ps())[0]?.state).toBe("ready");
  });

  test("of a pool replaces every worker, never with fewer than wanted", async () => {
    const port = portOf(await start());
    expect(await run("one", [], ["-instances", "3"])).toMatchObject({ status: 0 });
    const old = (await ps()).map((worker) => worker.pid);
    expect(old).toHaveLength(3);
    expect(await run("two")).toMatchObject({ status: 0 });
    const workers = await waitFor("the old workers to be gone", async () => {
      const left = await ps();
      return !old.some(isAlive) && left.length === 3 && left;
    });
    expect(workers.every((worker) => worker.command.includes("two"))).toBe(true);
    expect((await ask(port)).version).toBe("two");
  });
});

describe("between deploys", () => {
  test("a worker that ignores SIGTERM is killed when its stop timeout is over", async () => {
    await start();
    await run("deaf", ["deaf"], ["-stop", "0.3"]);
    const old = (await ps())[0]?.pid ?? 0;
    expect(await run("next")).toMatchObject({ status: 0 });
    await waitFor("the deaf worker to be killed", () => !isAlive(old));
  });

  test("a listener that a worker shut down for everybody listens again", async () => {
    const crank = await start();
    const port = portOf(crank);
    await run("good");
    await run("saboteur", ["shutdown"]);
    await waitFor("the warning", () => crank.stderr().includes("it listens again"));
    await servedBy("saboteur", port);
  });

  test("crank ends with status 0 after SIGTERM, and SIGHUP before it is a reload", async () => {
    const crank = await start();
    const port = portOf(crank);
    await run("one");
    const { pid } = await ask(port);
    crank.signal("SIGHUP");
    const next = await waitFor("another worker", async () =>
      (await ps()).find((worker) => worker.state === "ready" && worker.pid !== pid),
    );
    expect(next.command).toContain("one");
    crank.signal("SIGTERM");
    expect(await crank.ended).toMatchObject({ status: 0 });
    expect(isAlive(next.pid)).toBe(false);
  });

  test("SIGHUPs in the middle of a deploy are one reload after it", async () => {
    const crank = await start();
    const port = portOf(crank);
    const gate = `${bench.directory}/gate`;
    const held = run("one", ["held"], ["-env", `HOLD=${gate}`]);
    await waitFor("the start", async () => (await ps()).length > 0);
    for (let time = 0; time < 3; time++) crank.signal("SIGHUP");
    writeFileSync(gate, "");
    expect(await held).toMatchObject({ status: 0 });
    await waitFor("the reload", () => crank.stderr().includes("Generation 2 is in place"));
    expect((await ask(port)).version).toBe("one");
    expect(crank.stderr()).not.toContain("Rolling out generation 3");
  });

  test("a worker's acknowledgement on the control socket counts as its readiness, whatever front end it was written for", async () => {
    const crank = await start();
    expect(await run("acknowledging", ["acknowledge"])).toMatchObject({ status: 0 });
    expect((await ask(portOf(crank))).version).toBe("acknowledging");
  });

  test("a second SIGTERM brings the next stop step forward", async () => {
    const crank = await start();
    await run("deaf", ["deaf"], ["-stop", "600"]);
    crank.signal("SIGTERM");
    await waitFor("the first step", async () => (await ps())[0]?.state === "stopping");
    crank.signal("SIGTERM");
    expect((await crank.ended).status).toBe(0);
  });

  test("crank without -respawn ends when its last worker is gone, and its status tells how", async () => {
    const crank = await start();
    await run("mortal", ["dies"]);
    expect((await crank.ended).status).toBe(1);
  });

  test("a pool starts a worker again that dies, and warns of its end", async () => {
    const crank = await start();
    await run("one", [], ["-instances", "2"]);
    const pid = (await ps())[0]?.pid ?? 0;
    process.kill(pid, "SIGKILL");
    await waitFor("the next worker", async () => {
      const ready = (await ps()).filter((worker) => worker.state === "ready");
      return ready.length === 2 && ready.every((worker) => worker.pid !== pid);
    });
    expect(crank.stderr()).toMatch(/WARNING: Worker \d+ \(pid \d+, generation 1\) was ended by SIGKILL, unasked/);
  });

  test("with -respawn=false a pool that loses a worker stays smaller", async () => {
    const crank = await start("-respawn=false");
    await run("one", [], ["-instances", "2"]);
    process.kill((await ps())[0]?.pid ?? 0, "SIGKILL");
    await waitFor("one worker", async () => (await ps()).length === 1);
    process.kill((await ps())[0]?.pid ?? 0, "SIGKILL");
    expect((await crank.ended).status).toBe(1);
  });

  test("with -respawn a worker that dies is started again", async () => {
    const crank = await start("-respawn");
    const port = portOf(crank);
    await run("one");
    const { pid } = await ask(port);
    process.kill(pid, "SIGKILL");
    const next = await waitFor("the next worker", async () =>
      (await ps()).find((worker) => worker.state === "ready" && worker.pid !== pid),
    );
    expect(isAlive(next.pid)).toBe(true);
    expect(await ask(port)).toEqual({ version: "one", pid: next.pid });
  });

  test("the record is started again after a restart, and its other keys are the original's", async () => {
    const first = await start();
    await run("one", [], ["-start", "7", "-stop", "9"]);
    first.signal("SIGTERM");
    await first.ended;
    expect(JSON.parse(readFileSync(join(bench.directory, "web.conf"), "utf8"))).toMatchObject({
      cwd: bench.directory,
      command: ["python3", RESPONDER, "one"],
      start_timeout: 7e9,
      stop_timeout: 9e9,
    });
    const second = await start();
    expect(
      await waitFor("the worker", async () => (await ps()).find((worker) => worker.state === "ready")),
    ).toMatchObject({ command: ["python3", RESPONDER, "one"] });
    expect((await ask(portOf(second))).version).toBe("one");
  });

  test("a record of the original crank is run", async () => {
    writeFileSync(
      join(bench.directory, "web.conf"),
      JSON.stringify({ cwd: "", command: ["python3", RESPONDER, "old"], start_timeout: 60e9, stop_timeout: 0 }),
    );
    const crank = await start();
    await waitFor("the worker", async () => (await ps()).some((worker) => worker.state === "ready"));
    expect((await ask(portOf(crank))).version).toBe("old");
  });

  test("a deploy whose record cannot be written stands, and the failure is reported", async () => {
    const crank = await start();
    const port = portOf(crank);
    await run("one");
    // Others could exchange what is in it: as unwritable as a full disk, for root too.
    chmodSync(bench.directory, 0o777);
    const deployed = await run("two");
    expect(deployed.status).toBe(0);
    expect(deployed.stdout + deployed.stderr).toContain("could not be recorded");
    await waitFor("the log to say so", () => crank.stderr().includes("could not be written"));
    await servedBy("two", port);
    expect(readFileSync(join(bench.directory, "web.conf"), "utf8")).toContain("one");
  });

  needing(FANOTIFY).test("a record that is long in the writing holds up nothing but the deploy's answer", async () => {
    const disk = join(bench.directory, "disk");
    mkdirSync(disk);
    const crank = await start("-conf", join(disk, "conf"));
    const port = portOf(crank);
    await run("one");
    const hanging = bench.start(["python3", HANGING_DISK, disk]);
    await waitFor("the disk to hang", () => hanging.stdout().includes("hangs"));
    let isAnswered = false;
    const deployed = run("two").finally(() => {
      isAnswered = true;
    });
    await servedBy("two", port);
    const waiting = async (): Promise<boolean> =>
      (await ps()).some(({ state, command }) => state === "ready" && command.includes("two"));
    await waitFor("the new worker to be alone", async () => (await ps()).length === 1 && (await waiting()));
    expect(isAnswered).toBe(false);
    hanging.signal("SIGTERM");
    expect(await deployed).toMatchObject({ status: 0 });
    expect(readFileSync(join(disk, "conf"), "utf8")).toContain("two");
    expect(crank.stderr()).not.toContain("supervisor");
  });

  test("orphans of workers are reaped", async () => {
    const crank = await start();
    await bench.ctl("web", "run", "--", "sh", "-c", "(sleep 0.1 & echo $! > orphan; exit) ; exec sleep 600");
    const orphan = Number(
      await waitFor(
        "the orphan's pid",
        () =>
          existsSync(join(bench.directory, "orphan")) && readFileSync(join(bench.directory, "orphan"), "utf8").trim(),
      ),
    );
    await waitFor("the orphan to be gone for good", () => !existsSync(`/proc/${orphan}`));
    expect(isAlive(crank.pid)).toBe(true);
  });
});

describe("the supervisor", () => {
  test("that is killed is replaced, and nobody notices", async () => {
    const crank = await start("-linger", "60");
    const port = portOf(crank);
    await run("one");
    const { pid } = await ask(port);
    for (let round = 0; round < 5; round++) {
      const supervisor = await waitFor("a supervisor", () => supervisorOf(crank));
      signal(supervisor, "SIGKILL");
      await waitFor("the next supervisor", () => {
        const next = supervisorOf(crank);
        return next !== undefined && next !== supervisor;
      });
      expect(await ask(port)).toEqual({ version: "one", pid });
      expect((await ps()).map((worker) => worker.pid)).toEqual([pid]);
    }
  });

  test("sleeps when nothing happens, and a request wakes it", async () => {
    const crank = await start("-linger", "0.1");
    await run("one");
    await waitFor("the supervisor to sleep", () => supervisorOf(crank) === undefined);
    expect(await ps()).toHaveLength(1);
    await waitFor("the supervisor to sleep again", () => supervisorOf(crank) === undefined);
  });

  test("answers a deploy that it was killed in the middle of", async () => {
    const crank = await start("-linger", "60");
    await run("one");
    const gate = `${bench.directory}/gate`;
    const deploy = run("slow", ["held"], ["-env", `HOLD=${gate}`]);
    await waitFor("the new worker", async () => (await ps()).length === 2);
    const supervisor = await waitFor("the supervisor", () => supervisorOf(crank));
    signal(supervisor, "SIGKILL");
    await waitFor("its death", () => !isAlive(supervisor));
    writeFileSync(gate, "");
    expect(await deploy).toMatchObject({ status: 0, stdout: "Started successfully\n" });
  });
});
