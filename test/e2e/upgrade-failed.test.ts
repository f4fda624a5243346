// Upgrades that come at the wrong time, or for which there is no room; and keepers that fail when it is too late.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { changeKeeper, installScript, passesItsCheck } from "./harness/installation.ts";
import { Refusing } from "./harness/refused.ts";
import { isAlive, waitFor } from "./harness/service.ts";
import { RESPONDER, Upgraded } from "./harness/upgraded.ts";

let service: Upgraded;
afterEach(() => service.clean());

/** Sets a limit of a process, by prlimit(1). */
const limit = (pid: number, which: string): void => {
  const { status, stderr } = spawnSync("prlimit", ["--pid", String(pid), which], { encoding: "utf8" });
  if (status !== 0) throw new Error(`prlimit: ${stderr}`);
};

const UPGRADE = '{"jsonrpc":"2.0","id":1,"method":"upgrade","params":{"wait":true}}\n';

describe("an upgrade for whose memory files there is no room", () => {
  let refusing: Refusing;
  beforeEach(async () => {
    service = refusing = await Refusing.open(["-linger", "600"]);
  });

  test("is refused where the journal cannot be copied", async () => {
    const { socket, lines } = await service.control();
    socket.write('{"jsonrpc":"2.0","id":0,"method":"info"}\n');
    await waitFor("the connection", () => lines.length === 1);
    await refusing.note();
    const open = new Set(service.descriptors().map(Number));
    const free = [...Array(open.size + 1).keys()].find((fd) => !open.has(fd)) ?? 0;
    limit(service.crank.pid, `--nofile=${free}:`);
    socket.write(UPGRADE);
    await waitFor("the answer", () => lines.length === 2);
    expect(lines[1]).toContain("the journal cannot be copied for the check: too many open files");
    limit(service.crank.pid, "--nofile=4096:");
    await refusing.expectUnchanged();
    socket.write(UPGRADE);
    await waitFor("the answer", () => lines.length === 3);
    expect(lines[2]).toContain('"result"');
    socket.destroy();
  });

  test("is refused where the keeper's state cannot be written down", async () => {
    const { socket, lines } = await service.control();
    // What the keeper has read of a line is a part of its state.
    const half = await service.control();
    half.socket.write(`{"jsonrpc":"2.0","id":5,"method":"info","params":{},"padding":"${"x".repeat(700_000)}`);
    changeKeeper(service.installed);
    limit(service.crank.pid, "--fsize=300000:");
    socket.write(UPGRADE);
    await waitFor("the answer", () => lines.length === 1);
    expect(lines[0]).toContain("its keeper cannot be tried: state: file too large");
    limit(service.crank.pid, "--fsize=unlimited:");
    expect((await service.ctl("upgrade", "-wait")).stdout).toContain("supervisor and keeper");
    half.socket.write('"}\n');
    await waitFor("the answer to what was begun before", () => half.lines.length === 1);
    for (const each of [socket, half.socket]) each.destroy();
  });
});

describe("an upgrade during a shutdown", () => {
  beforeEach(async () => {
    service = new Upgraded();
    await service.start();
  });

  test("is refused", async () => {
    await service.deploy("-stop", "600", ...RESPONDER, "one", "deaf");
    const [worker = 0] = await service.workers();
    await service.ctl("shutdown");
    const refused = await service.ctl("upgrade", "-wait");
    expect(refused.stderr).toBe("ERROR: command failed: Crank is shutting down; it is not upgraded\n");
    expect(refused.status).toBe(1);
    service.crank.signal("SIGUSR1");
    await waitFor("the sentence", () => service.crank.stderr().includes("SIGUSR1: Crank is shutting down"));
    process.kill(worker, "SIGKILL");
    expect((await service.crank.ended).status).toBe(0);
  });

  test("whose check has begun is given up, and who waits is told", async () => {
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
    expect((await waiting).stderr).toContain("Crank has ended; it was not upgraded");
  });
});

describe("a keeper that could take over when it tried, and cannot for real,", () => {
  for (const [name, misdeed, status] of [
    ["ends", "exit 7", 7],
    ["hangs", "exec sleep 600", null],
  ] as const)
    test(`${name}: the workers serve on, and the next crank adopts them`, async () => {
      service = new Upgraded();
      const first = await service.start();
      await service.deploy(...RESPONDER, "one");
      const workers = await service.workers();
      const two = service.path("two");
      const rehearsal = '[ -n "$CRANK_KEEPER_REHEARSAL" ] && exit 0';
      const bad = installScript(two, `${passesItsCheck(two)}\n${rehearsal}\n${misdeed}`);
      await service.ctl("upgrade", "-exec", bad);
      expect((await first.ended).status).toBe(status);
      expect(workers.every(isAlive)).toBe(true);
      const next = await service.start();
      await waitFor("the adoption", () => next.stderr().includes("Adopted 1 of the 1 worker"));
      expect(await service.workers()).toEqual(workers);
      await service.ctl("shutdown");
      expect((await next.ended).status).toBe(0);
    });
});
