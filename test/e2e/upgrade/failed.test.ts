// Upgrades at the wrong time, or without enough memory; and keepers that fail when it is too late.
import { beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { RESPONDER } from "../harness/apps.ts";
import { eachTest } from "../harness/each-test.ts";
import { changeKeeper, installScript, passesItsCheck } from "../harness/installation.ts";
import { isAlive } from "../harness/processes.ts";
import { Upgraded } from "../harness/upgraded.ts";
import { waitFor } from "../harness/wait.ts";
import { Refusing } from "./refused.ts";

/** Sets a limit of a process with prlimit(1). */
const limit = (pid: number, which: string): void => {
  const { status, stderr } = spawnSync("prlimit", ["--pid", String(pid), which], { encoding: "utf8" });
  if (status !== 0) throw new Error(`prlimit: ${stderr}`);
};

const UPGRADE = '{"jsonrpc":"2.0","id":1,"method":"upgrade","params":{"wait":true}}\n';

describe("an upgrade without room for its memory files", () => {
  const service = eachTest(new Refusing("-linger", "600"));

  test("is refused where the journal cannot be copied", async () => {
    const control = await service.control();
    control.say('{"jsonrpc":"2.0","id":0,"method":"info"}\n');
    await control.hearsLines(1);
    await service.note();
    const open = new Set(service.descriptors().map(Number));
    const free = [...Array(open.size + 1).keys()].find((fd) => !open.has(fd)) ?? 0;
    limit(service.crank.pid, `--nofile=${free}:`);
    control.say(UPGRADE);
    await control.hearsLines(2);
    expect(control.lines[1]).toContain("the journal cannot be copied for the check: too many open files");
    limit(service.crank.pid, "--nofile=4096:");
    await service.expectUnchanged();
    control.say(UPGRADE);
    await control.hearsLines(3);
    expect(control.lines[2]).toContain('"result"');
  });

  test("is refused where the keeper's state cannot be written", async () => {
    const control = await service.control();
    // What the keeper has read of a line is part of its state.
    const half = await service.control();
    half.say(`{"jsonrpc":"2.0","id":5,"method":"info","params":{},"padding":"${"x".repeat(700_000)}`);
    changeKeeper(service.installed);
    limit(service.crank.pid, "--fsize=300000:");
    control.say(UPGRADE);
    await control.hearsLines(1);
    expect(control.lines[0]).toContain("the dry run of its keeper cannot be started: state: file too large");
    limit(service.crank.pid, "--fsize=unlimited:");
    expect((await service.ctl("upgrade", "-wait")).stdout).toContain("supervisor and keeper");
    half.say('"}\n');
    await half.hearsLines(1);
  });
});

describe("an upgrade during a shutdown", () => {
  const service = eachTest(new Upgraded());
  beforeEach(async () => {
    await service.start();
  });

  test("is refused", async () => {
    await service.deploy("-stop", "600", ...RESPONDER, "one", "deaf");
    const { pid: worker } = await service.ready();
    await service.ctl("shutdown");
    const refused = await service.ctl("upgrade", "-wait");
    expect(refused.stderr).toBe("crankctl upgrade: Crank is shutting down; it is not upgraded\n");
    expect(refused.status).toBe(1);
    service.crank.signal("SIGUSR1");
    await service.crank.wrote("stderr", "SIGUSR1: Crank is shutting down");
    process.kill(worker, "SIGKILL");
    expect((await service.crank.ended).status).toBe(0);
  });

  test("whose check has begun is abandoned, and the waiting client is answered", async () => {
    await service.deploy(...RESPONDER, "one");
    const [begun, go] = [service.path("begun"), service.path("go")];
    const two = service.path("two");
    const slow = installScript(
      two,
      `touch ${begun}; while ! [ -e ${go} ]; do sleep 0.05; done; ${passesItsCheck(two)}`,
    );
    const waiting = service.ctl("upgrade", "-wait", "-exec", slow);
    await waitFor("the check", () => existsSync(begun));
    service.crank.signal("SIGTERM");
    expect((await service.crank.ended).status).toBe(0);
    expect((await waiting).stderr).toContain("Crank has exited; it was not upgraded");
  });
});

describe("a keeper whose trial take-over succeeds and whose real one fails,", () => {
  const service = eachTest(new Upgraded());
  for (const [name, misdeed, status] of [
    ["ends", "exit 7", 7],
    ["hangs", "exec sleep 600", null],
  ] as const)
    test(`${name}: the workers serve on, and the next crank adopts them`, async () => {
      const first = await service.start();
      await service.deploy(...RESPONDER, "one");
      const workers = await service.allPids();
      const two = service.path("two");
      const rehearsal = '[ -n "$CRANK_KEEPER_REHEARSAL" ] && exit 0';
      const bad = installScript(two, `${passesItsCheck(two)}\n${rehearsal}\n${misdeed}`);
      await service.ctl("upgrade", "-exec", bad);
      expect((await first.ended).status).toBe(status);
      expect(workers.every(isAlive)).toBe(true);
      const next = await service.start();
      await next.wrote("stderr", "Adopted 1 of the 1 worker");
      expect(await service.allPids()).toEqual(workers);
      await service.ctl("shutdown");
      expect((await next.ended).status).toBe(0);
    });
});
