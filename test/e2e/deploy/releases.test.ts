// Releases behind a link that is moved: what a deploy starts, what is restarted, and what a rollback returns to.
import { beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { RESPONDER } from "../harness/apps.ts";
import type { Ended, Running } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { isAlive } from "../harness/processes.ts";
import { RESPONDER_IN_PYTHON } from "../harness/python-apps.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const service = eachTest(new Service({ port: "fixed" }));
beforeEach(() => {
  for (const name of ["1", "2", "3"]) makeRelease(name);
  moveLink("1");
});

const release = (name: string): string => service.path(`releases/${name}`);
const current = (): string => service.path("current");

/** Each release has its own program, which answers with the release's name. */
const makeRelease = (name: string): void => {
  mkdirSync(release(name), { recursive: true });
  const path = join(release(name), "serve");
  writeFileSync(path, `#!/bin/sh\nexec ${RESPONDER.join(" ")} release-${name}\n`);
  chmodSync(path, 0o755);
};

/** As `ln -sfn` does. */
const moveLink = (name: string): void => {
  symlinkSync(`releases/${name}`, `${current()}.new`);
  renameSync(`${current()}.new`, current());
};

/** Runs crankctl in a directory, as a shell that entered it by this path. */
const ctlIn = (directory: string, ...args: readonly string[]): Promise<Ended> =>
  service.bench.run(service.ctlCommand(...args), {
    cwd: directory,
    env: { PWD: directory },
  });

const succeed = async (ended: Promise<Ended>): Promise<void> => {
  const { status, stdout, stderr } = await ended;
  if (status !== 0) throw new Error(`${stdout}${stderr}`);
};

const startIn = (directory: string, ...args: readonly string[]): Promise<Running> =>
  service.startWith({ cwd: directory, env: { PWD: directory } }, ...args);

const answers = async (name: string): Promise<void> => {
  await service.answers(`release-${name}`);
};

const directoryOf = async (): Promise<string> => readlinkSync(`/proc/${(await service.pids())[0]}/cwd`);

/** Kills the worker, and waits for the next one. */
const respawn = async (): Promise<void> => {
  const [pid = 0] = await service.pids();
  process.kill(pid, "SIGKILL");
  await waitFor("the next worker", async () => {
    const [next] = await service.settled(1);
    return next?.pid !== pid && !isAlive(pid);
  });
};

describe("a deploy follows the link", () => {
  test("through which crank and crankctl were called: reload runs its current target", async () => {
    await startIn(current());
    await succeed(ctlIn(current(), "run", "-wait", "--", "./serve"));
    await answers("1");
    moveLink("2");
    await succeed(service.ctl("reload", "-wait"));
    await answers("2");
    expect(await directoryOf()).toBe(release("2"));
    rmSync(release("1"), { recursive: true });
    await succeed(service.ctl("reload", "-wait"));
  });

  test("on SIGHUP", async () => {
    const crank = await startIn(service.directory);
    await succeed(ctlIn(current(), "run", "-wait", "--", "./serve"));
    moveLink("2");
    crank.signal("SIGHUP");
    await crank.wrote("stderr", "Rolled out generation 2");
    await answers("2");
  });

  test("that -cwd names, and so does a run without a command", async () => {
    await startIn(service.directory);
    await succeed(ctlIn(service.directory, "run", "-wait", "-cwd", "current", "--", "current/serve"));
    await answers("1");
    moveLink("2");
    await succeed(ctlIn("/", "run", "-wait", "-env", "A=1"));
    await answers("2");
    expect((await service.settled(1))[0]).toMatchObject({
      cwd: current(),
      resolved: { cwd: release("2"), file: join(release("2"), "serve") },
    });
  });

  test("and each command runs in the directory where it was given, whatever the last one's was", async () => {
    await startIn(service.directory);
    await succeed(ctlIn(release("1"), "run", "-wait", "--", "./serve"));
    await succeed(ctlIn(release("2"), "run", "-wait", "--", "./serve"));
    await answers("2");
    expect(await directoryOf()).toBe(release("2"));
  });

  test("but ignores a PWD that is wrong", async () => {
    await startIn(service.directory);
    const command = service.ctlCommand("run", "-wait", "--", "./serve");
    await succeed(service.bench.run(command, { cwd: release("2"), env: { PWD: current() } }));
    await answers("2");
    expect((await service.settled(1))[0]?.cwd).toBe(release("2"));
  });
});

describe("the deployed release stays the same", () => {
  test("for a worker that is restarted between the move of the link and the deploy", async () => {
    await startIn(service.directory, "-respawn");
    await succeed(ctlIn(service.directory, "run", "-wait", "-cwd", "current", "--", "current/serve"));
    moveLink("2");
    await respawn();
    await answers("1");
    expect(await directoryOf()).toBe(release("1"));
  });

  test("for a rollback across moves, and history shows where each ran", async () => {
    await startIn(service.directory);
    const run = () => ctlIn(service.directory, "run", "-wait", "-cwd", "current", "--", "current/serve");
    await succeed(run());
    moveLink("2");
    await succeed(run());
    moveLink("3");
    await succeed(service.ctl("rollback", "-wait"));
    await answers("1");
    expect(await directoryOf()).toBe(release("1"));
    expect((await service.history()).map(({ generation, resolved }) => [generation, resolved?.cwd])).toEqual([
      [1, release("1")],
      [2, release("2")],
      [3, release("1")],
    ]);
    const listed = (await service.ctl("history")).stdout;
    expect(listed).toContain(`${current()} -> ${release("2")}`);
    await succeed(service.ctl("reload", "-wait"));
    await answers("3");
  });

  test("for the next crank that adopts it, and for one that starts from the record", async () => {
    let crank = await startIn(service.directory, "-respawn");
    await succeed(ctlIn(service.directory, "run", "-wait", "-cwd", "current", "--", "current/serve"));
    moveLink("2");
    crank = await service.replace("-respawn");
    await respawn();
    await answers("1");
    crank.signal("SIGTERM");
    await crank.ended;
    await startIn(service.directory);
    await service.ready();
    await answers("1");
  });
});

test("a program that finds its files by its own name finds those of its release", async () => {
  const python = realpathSync("/usr/bin/python3");
  for (const name of ["1", "2"]) symlinkSync(python, join(release(name), "interpreter"));
  await startIn(service.directory, "-respawn");
  const [, script = ""] = RESPONDER_IN_PYTHON;
  const command = [join(current(), "interpreter"), script, "v1"];
  await succeed(ctlIn(service.directory, "run", "-wait", "--", ...command));
  moveLink("2");
  await respawn();
  const [pid = 0] = await service.pids();
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[0]).toBe(join(release("1"), "interpreter"));
});

describe("when the deployed release is gone", () => {
  test("a restarted worker runs the command as given, and crank says so", async () => {
    const crank = await startIn(service.directory, "-respawn");
    await succeed(ctlIn(service.directory, "run", "-wait", "-cwd", "current", "--", "current/serve"));
    moveLink("2");
    rmSync(release("1"), { recursive: true });
    await respawn();
    await answers("2");
    await crank.wrote("stderr", `Generation 1 ran from ${release("1")}, which was removed; worker 2 is started from`);
  });

  test("a rollback to it is refused before anything is stopped", async () => {
    await startIn(service.directory);
    await succeed(ctlIn(current(), "run", "-wait", "--", "./serve"));
    moveLink("2");
    await succeed(service.ctl("reload", "-wait"));
    rmSync(release("1"), { recursive: true });
    const before = await service.pids();
    const refused = await service.ctl("rollback", "-wait");
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain(`its directory ${release("1")} was removed`);
    expect(await service.pids()).toEqual(before);
    await answers("2");
  });
});
