// Leftovers that cannot be adopted as they are: damaged and foreign journals, workers that are hard to recognise, and a
// crank without the rights to adopt.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CRANK as FRONT_END } from "../../../src/commands/crank/front-end.ts";
import { type Journal, readJournal } from "../../../src/keeper/journal.ts";
import { examine } from "../../../src/supervisor/adoption/orphaned-service.ts";
import { linuxPlatform } from "../../../src/supervisor/os/linux.ts";
import { linuxProcesses, type ProcessTable } from "../../../src/supervisor/os/processes.ts";
import type { Settings } from "../../../src/supervisor/state/settings.ts";
import { needing, ROOT_USER } from "../../needs.ts";
import { RESPONDER } from "../harness/apps.ts";
import { CRANK, ROOT } from "../harness/bench.ts";
import { eachTest } from "../harness/each-test.ts";
import { changed, journalFile } from "../harness/journal-file.ts";
import { isAlive } from "../harness/processes.ts";
import { Service } from "../harness/service.ts";
import { waitFor } from "../harness/wait.ts";

const service = eachTest(new Service({ port: "fixed" }));

const UNRULY = ["python3", join(ROOT, "test/apps/unruly.py")];

const journal = (): Extract<Journal, { kind: "entries" }> => {
  const read = readJournal(readFileSync(service.path("web.run/journal")));
  if (read.kind !== "entries") throw new Error(`the journal is ${read.kind}`);
  return read;
};
const leave = (file: Uint8Array): void => writeFileSync(service.path("web.run/journal"), file);

/** Starts a crank that fails at its start. */
const fails = async (...args: readonly string[]): Promise<string> => {
  const { status, stderr } = await service.bench.run([...service.crankCommand(), ...args]);
  expect(status).toBe(1);
  return stderr;
};

/** Deploys, and kills the crank. Returns the pids of its workers. */
const killed = async (...args: readonly string[]): Promise<readonly number[]> => {
  await service.start();
  await service.deploy(...args);
  const pids = await service.pids();
  await service.kill();
  return pids;
};

describe("a journal", () => {
  test("that is truncated or damaged at any byte causes no wrong adoption and no crash", async () => {
    const [pid = 0] = await killed("--", ...RESPONDER, "v1");
    const whole = readFileSync(service.path("web.run/journal"));
    const { bootId, entries } = journal();
    const settings: Settings = JSON.parse(new TextDecoder().decode(entries.get("settings")));
    const table = remembering(linuxProcesses);
    const platform = { ...linuxPlatform(() => 0), processes: table };
    const facts = { bootId, pid: 1, version: "", startedAt: 0, realtimeOffset: 0, home: "/", cwd: "/", args: [] };
    const surroundings = {
      platform,
      frontEnd: FRONT_END,
      facts: { ...facts, program: "crank", fresh: true, consumed: 0, executions: 0, path: "" },
    };
    const startTime = linuxProcesses.facts(pid)?.startTime;
    const seen = new Set<string>();
    const check = async (bytes: Uint8Array): Promise<void> => {
      const verdict = await examine(surroundings, settings, bytes);
      seen.add(verdict.kind);
      if (verdict.kind === "aside") expect(verdict.reason).toMatch(/^\S.* \S/);
      if (verdict.kind !== "adopt") return;
      expect(verdict.adoption.workers).toMatchObject([{ pid, startTime }]);
    };
    for (let length = 0; length <= whole.length; length++) await check(whole.subarray(0, length));
    for (let at = 0; at < whole.length; at++) {
      const wrong = Buffer.from(whole);
      wrong[at] = (wrong[at] ?? 0) ^ 0x41;
      await check(wrong);
    }
    expect([...seen].sort()).toEqual(["adopt", "aside", "noWorkers"]);
  });

  test("that cannot be read is kept and named, and none of it is used", async () => {
    const [pid = 0] = await killed("--", ...RESPONDER, "v1");
    const whole = readFileSync(service.path("web.run/journal"));
    for (const [bytes, complaint] of [
      [Buffer.alloc(0), "is empty"],
      [Buffer.from("something else"), "is damaged: it does not begin as a journal does"],
      [whole.subarray(0, 30), "is damaged: its header is cut short"],
      [journalFile({ ...journal() }, 2), "was written by a later version of crank (format 2)"],
      [journalFile({ ...journal(), bootId: "another" }), "is from before the last boot"],
      [journalFile({ ...journal(), entries: new Map([["settings", Buffer.from("{")]]) }), "cannot be read"],
      [
        journalFile({ ...journal(), entries: new Map([["settings", Buffer.from(`[${"[],".repeat(1_000_000)}[]]`)]]) }),
        "cannot be read: a value nests deeper than 32 levels",
      ],
    ] as const) {
      leave(bytes);
      const { status, stdout } = await service.ctl("adopt", "-dry-run");
      expect([status, stdout]).toEqual([1, expect.stringContaining(`web.run/journal ${complaint}`)]);
      const said = await fails();
      expect(said).toContain(`web.run/journal ${complaint}`);
      expect(said).toContain("it is kept as");
      expect(said).toContain("stop the process that uses it");
      expect(isAlive(pid)).toBe(true);
      leave(whole);
    }
    await service.adopt();
    expect(await service.pids()).toEqual([pid]);
  });

  test("that is truncated in its last record is used up to the record before", async () => {
    const [pid = 0] = await killed("--", ...RESPONDER, "v1");
    leave(Buffer.concat([readFileSync(service.path("web.run/journal")), Buffer.from([200, 0, 0, 0, 1, 2, 3, 4, 5])]));
    await service.adopt();
    expect(await service.pids()).toEqual([pid]);
  });

  needing(ROOT_USER).test("with dead, recycled and foreign pids leads to no adoption of them", async () => {
    await killed("--", ...RESPONDER, "v1");
    const left = journal();
    const foreign = service.bench.start(["setpriv", "--reuid", "65534", "--clear-groups", "sleep", "600"]);
    await waitFor("its user", () => linuxProcesses.facts(foreign.pid)?.uids[0] === 65534);
    const ended = service.bench.start(["true"]);
    await ended.ended;
    const startTime = linuxProcesses.facts(foreign.pid)?.startTime ?? 0;
    const recycled = service.bench.start(["sleep", "600"]);
    for (const [changes, reason] of [
      [{ pid: ended.pid }, `process ${ended.pid} is gone`],
      [{ pid: recycled.pid, startTime: 1 }, `process ${recycled.pid} is another process now`],
      [{ pid: foreign.pid, startTime }, `process ${foreign.pid} belongs to user 65534, not 0`],
    ] as const) {
      leave(journalFile({ ...left, entries: changed(left.entries, "worker/1", changes) }));
      expect((await service.ctl("adopt", "-dry-run")).stdout).toContain(reason);
      const said = await fails();
      expect(said).toContain("none of its workers runs any more");
      expect(said).toContain(reason);
    }
    for (const { pid } of [foreign, recycled]) expect(isAlive(pid)).toBe(true);
    leave(journalFile(left));
    await service.adopt();
  });

  test.each([[[]], [["overwrites"]]])(
    "that holds only the intent of the last start leads to its process (%p)",
    async (deeds) => {
      const [pid = 0] = await killed("--", ...UNRULY, ...deeds);
      const left = journal();
      leave(journalFile({ ...left, entries: changed(left.entries, "worker/1", { pid: null, startTime: 0 }) }));
      await service.adopt();
      expect(await service.pids()).toEqual([pid]);
      expect(await service.ask()).toBe(`unruly ${pid}\n`);
      // A process that has overwritten its environment cannot be found afterwards.
      expect((await service.ctl("shutdown", "-wait")).status).toBe(0);
      await waitFor("its end", () => !isAlive(pid));
    },
  );
});

describe("a worker", () => {
  const isAdopted = async (deeds: readonly string[], told: string): Promise<void> => {
    const [pid = 0] = await killed("--", ...UNRULY, ...deeds);
    const next = await service.adopt();
    await next.wrote("stderr", told);
    expect(await service.pids()).toEqual([pid]);
    expect(await service.ask()).toBe(`unruly ${pid}\n`);
    await service.deploy("--", ...RESPONDER, "v2");
    await service.answers("v2");
    await waitFor("the end of the old one", () => !isAlive(pid));
  };
  for (const [deeds, told] of [
    [["moves"], "descriptor 77"],
    [["closes"], "has closed its output"],
    [["overwrites"], "Took"],
  ] as const)
    test(`that ${deeds.join(" and ")} is adopted`, () => isAdopted(deeds, told));
  for (const deeds of [["changes-user"], ["overwrites", "changes-user"]])
    needing(ROOT_USER).test(`that ${deeds.join(" and ")} is adopted`, () => isAdopted(deeds, "Took"));

  test("that closed all descriptors is watched, and the socket is opened again", async () => {
    const [pid = 0] = await killed("-sockets-optional", "--", ...UNRULY, "closes-all");
    const next = await service.adopt();
    await next.wrote("stderr", "has closed its output");
    expect(await service.pids()).toEqual([pid]);
    await service.deploy("--", ...RESPONDER, "v2");
    await service.answers("v2");
  });
});

describe("a crank", () => {
  const WEAK = ["setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"];

  needing(ROOT_USER).test("without the right to take descriptors says so, and changes nothing", async () => {
    const [pid = 0] = await killed("--", ...RESPONDER, "v1");
    const before = readFileSync(service.path("web.run/journal"));
    const { status, stderr } = await service.bench.run([...WEAK, ...service.crankCommand()]);
    expect(status).toBe(1);
    expect(stderr).toContain(`the socket cannot be taken from the workers that hold it: worker 1 (pid ${pid})`);
    expect(stderr).toContain("permission");
    expect(stderr).toContain("CAP_SYS_PTRACE");
    expect(isAlive(pid)).toBe(true);
    expect(readFileSync(service.path("web.run/journal")).equals(before)).toBe(true);
    await service.adopt();
    expect(await service.pids()).toEqual([pid]);
  });

  needing(ROOT_USER).test(
    "without that right binds a socket beside the workers' where reuseport allows it",
    async () => {
      const bind = ["-bind", `127.0.0.1:${service.port}?reuseport=1`];
      const command = [CRANK, ...service.own, ...bind];
      await service.launch(command);
      await service.deploy("--", ...RESPONDER, "v1");
      const [pid = 0] = await service.pids();
      await service.kill();
      const next = service.bench.start([...WEAK, ...command]);
      await next.wrote("stderr", "Adopted 1 of the 1 worker");
      await next.wrote("stderr", "the address is bound again beside them (reuseport)");
      await next.wrote("stderr", "cannot be recovered");
      await service.deploy("--", ...RESPONDER, "v2");
      await waitFor("the end of the old one", () => !isAlive(pid));
      await service.answers("v2");
    },
  );

  test("with -no-adopt leaves the workers alone and keeps the journal", async () => {
    const [pid = 0] = await killed("--", ...RESPONDER, "v1");
    const said = await fails("-no-adopt");
    expect(said).toContain(`its workers keep running without a crank (pid ${pid})`);
    expect(existsSync(service.path("web.run/journal.bad-1"))).toBe(true);
    expect(isAlive(pid)).toBe(true);
  });

  test("shows in a dry run what it would adopt", async () => {
    const crank = await service.start();
    await service.deploy("-instances", "2", "--", ...RESPONDER, "v1");
    const dryRun = (...flags: readonly string[]) => service.ctl("adopt", "-dry-run", ...flags);
    expect(await dryRun()).toMatchObject({
      status: 0,
      stdout: `crank is running with pid ${crank.pid}; there is nothing to adopt\n`,
    });
    const [first = 0, second = 0] = await service.pids();
    await service.kill();
    process.kill(second, "SIGKILL");
    await waitFor("its end", () => !isAlive(second));
    // The killed crank has its lock until the kernel has closed its files.
    const { status, stdout } = await waitFor("the lock", async () => {
      const ended = await dryRun();
      return ended.stdout.startsWith("crank is running") ? null : ended;
    });
    expect(status).toBe(0);
    expect(stdout).toContain("would adopt 1 of 2 workers");
    expect(stdout).toContain(`worker 1 (pid ${first}): adopted, with its output (descriptor 1)`);
    expect(stdout).toContain(`worker 2: not adopted: process ${second} is gone`);
    expect(stdout).toContain(`:${service.port}: taken from worker 1 (pid ${first}), descriptor 3`);
    expect(JSON.parse((await dryRun("-json")).stdout)).toMatchObject({ kind: "adoption", workers: [{ pid: first }] });
    const next = await service.adopt();
    next.signal("SIGTERM");
    await next.ended;
    expect(await dryRun()).toMatchObject({ status: 1, stdout: expect.stringContaining("there is no journal") });
    expect((await service.ctl("adopt")).status).toBe(2);
  });
});

/** Asks for each thing once. */
const remembering = (table: ProcessTable): ProcessTable => {
  const remember = <T>(look: (pid: number) => T): ((pid: number) => T) => {
    const known = new Map<number, { readonly seen: T }>();
    return (pid) => {
      const found = known.get(pid) ?? { seen: look(pid) };
      known.set(pid, found);
      return found.seen;
    };
  };
  const [list, sockets] = [table.list(), table.sockets()];
  return {
    list: () => list,
    sockets: () => sockets,
    facts: remember(table.facts),
    environment: remember(table.environment),
    command: remember(table.command),
    descriptors: remember(table.descriptors),
    accessMode: table.accessMode,
  };
};
