// What only a real keeper can show about its supervisors: their starts and ends, their input, and their program.

import { describe, expect, test } from "bun:test";
import { readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { COMMANDS } from "../../../src/keeper/protocol.ts";
import { until } from "../harness/driven-keeper.ts";
import { attached, commit, expectEvent, readHello, spawnOf } from "../harness/keeper-under-test.ts";
import { endProcess } from "../harness/real-keeper.ts";
import { childOf, python, realKeepers } from "./real-keepers.ts";

const decoder = new TextDecoder();

const fresh = realKeepers();

describe("the local time zone", () => {
  const zoneOf = async (zone: string) => {
    const keeper = await fresh({ env: { TZ: zone } });
    const end = await keeper.supervisor();
    for (;;) {
      const message = await end.next();
      if (message.kind === "helloZone") return message;
    }
  };

  test("is in the hello as the C library knows it, with its next change", async () => {
    expect(await zoneOf("XXX-5:30")).toMatchObject({ offset: 19_800, nextOffset: 19_800 });
    const zone = await zoneOf("CET-1CEST,M3.5.0,M10.5.0/3");
    expect([zone.offset, zone.nextOffset].sort()).toEqual([3600, 7200]);
    const change = new Date(zone.until * 1000);
    // The last Sunday of March or October, at one o'clock UTC.
    expect([change.getUTCDay(), change.getUTCHours(), change.getUTCMinutes(), change.getUTCSeconds()]).toEqual([
      0, 1, 0, 0,
    ]);
    expect(change.getUTCMonth()).toBe(zone.nextOffset === 7200 ? 2 : 9);
    expect(zone.until * 1000).toBeGreaterThan(Date.now());
  });
});

describe("supervisors", () => {
  test("that answer nothing for ten seconds are killed and replaced", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    end.send({ kind: "barrier", token: 1 }, commit(0));
    await expectEvent(end, "reached");
    await end.gone;
    const { hello } = await attached(keeper);
    expect(hello).toMatchObject({ outstanding: 2, facts: { crashes: 1 } });
    await until("its words", () => keeper.output().includes("has not answered for 10 s"));
  }, 30_000);

  test("that die five times before they attach end a keeper without workers", async () => {
    const keeper = await fresh();
    for (let death = 0; death < 5; death++) await (await keeper.supervisor()).crash();
    expect(await keeper.ended).toBe(1);
    expect(keeper.output()).toContain("cannot be started");
  });

  test("that cannot be started leave the workers as they are", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    end.send(spawnOf(keeper, 1, ["wait"]), commit(0));
    const spawned = await expectEvent(end, "spawned");
    end.send(commit(spawned.seq));
    await end.crash();
    for (let death = 0; death < 5; death++) await (await keeper.supervisor()).crash();
    const { hello } = await attached(keeper);
    expect(hello.workers).toMatchObject([{ worker: 1, pid: spawned.pid, state: 1 }]);
  });

  test("see the arguments and environment that crank was started with", async () => {
    const keeper = await fresh({
      args: ["-name", "x", "--", "-weird"],
      cwd: "/usr",
      env: { KEPT: "yes" },
    });
    const end = await keeper.supervisor();
    const { facts } = await readHello(end);
    expect(facts).toMatchObject({
      args: ["-name", "x", "--", "-weird"],
      cwd: "/usr",
      program: "crank",
      pid: keeper.pid,
      home: keeper.home,
    });
    const supervisor = childOf(keeper.pid);
    const environment = readFileSync(`/proc/${supervisor}/environ`, "latin1").split("\0");
    expect(environment).toContain("KEPT=yes");
    expect(readFileSync(`/proc/${supervisor}/stat`, "latin1").split(") ")[1]?.split(" ")[2]).toBe(String(supervisor));
  });

  test("die with their keeper, and workers do not", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    end.send(spawnOf(keeper, 1, ["wait"]), commit(0));
    const { pid } = await expectEvent(end, "spawned");
    await keeper.kill();
    await end.gone;
    expect(readFileSync(`/proc/${pid}/comm`, "latin1").trim()).toBe("scripted-worker".slice(0, 15));
    endProcess(pid);
  });

  test("start workers with a changed environment without changing the base environment", async () => {
    const keeper = await fresh({ env: { BASE: "1", TAKEN: "2" } });
    const { end } = await attached(keeper);
    const program =
      "import os; print(os.environ.get('BASE'), os.environ.get('TAKEN'), os.environ.get('NEW'), os.environ.get('LISTEN_PID') == str(os.getpid()))";
    end.send(python(keeper, 1, program, { env: [["NEW", "3"]], unset: ["TAKEN"], ownPid: ["LISTEN_PID"] }), commit(0));
    await expectEvent(end, "spawned");
    expect(decoder.decode((await expectEvent(end, "exited")).tail)).toBe("1 None 3 True\n");
  });
});

describe("commands on files", () => {
  test("setProgram refuses a missing file and keeps the current program", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    end.send({ kind: "setProgram", runtime: "/nowhere/crank", bundle: "" }, commit(0));
    expect(await expectEvent(end, "failed")).toMatchObject({
      command: COMMANDS.setProgram.code,
      step: "runtime",
      errno: 2,
    });
    await end.kill();
    await attached(keeper);
  });

  test("supervisors run the keeper's own program, even when its file is removed or replaced", async () => {
    const keeper = await fresh();
    const { end } = await attached(keeper);
    rmSync(keeper.program);
    writeFileSync(keeper.program, "not this one\n", { mode: 0o755 });
    await end.kill();
    await attached(keeper);
    expect(readFileSync(`/proc/${childOf(keeper.pid)}/cmdline`, "utf8")).toBe("crank-supervisor\0crank\0");
    expect(readlinkSync(`/proc/${childOf(keeper.pid)}/exe`)).toBe(`${realpathSync(keeper.home)}/bin/crank (deleted)`);
  });
});
