// Upgrades from the last crank whose supervisors ran on Bun, in a separate program beside the keeper's, and back to it: as
// packages do it, by installing one over the other, followed by `crankctl upgrade`.
import { afterEach, beforeEach, expect } from "bun:test";
import { chmodSync, linkSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Info } from "../../../src/control/messages.ts";
import { needing } from "../../needs.ts";
import { compiled } from "../harness/apps.ts";
import { Bench, CRANK, CRANKCTL, type Ended, portOf, type Running } from "../harness/bench.ts";
import { Load } from "../harness/load.ts";
import { numberedLines } from "../harness/numbered-lines.ts";
import { signal, supervisorOf } from "../harness/processes.ts";
import { waitFor } from "../harness/wait.ts";
import { BUN_BUILD, installBunBuild, installThisBuild } from "./bun-build.ts";

/** The first of them builds, and each installs 113 MB several times. */
const LIMIT_MS = 300_000;
const INSTALLS = { bun: installBunBuild, engine: installThisBuild };
type Build = keyof typeof INSTALLS;

let bench: Bench;
let prefix: string;
let crank: Running;
beforeEach(() => {
  bench = new Bench();
  prefix = join(bench.directory, "installed");
});
afterEach(() => bench.clean());

const holds = (name: string, run: () => Promise<void>): void => needing(BUN_BUILD).test(name, run, LIMIT_MS);

const program = (name: string): string => join(prefix, "lib/crank/bin", name);

const start = async (build: Build, ...flags: readonly string[]): Promise<void> => {
  INSTALLS[build](prefix);
  const own = ["-prefix", bench.directory, "-name", "web", "-bind", "127.0.0.1:0"];
  crank = bench.start([join(prefix, "bin/crank"), ...own, "-respawn", ...flags]);
  await crank.wrote("stderr", "Listening on");
};

/** By the installed client. */
const ctl = (...args: readonly string[]): Promise<Ended> =>
  bench.run([join(prefix, "bin/crankctl"), "-prefix", bench.directory, "-name", "web", ...args]);

const json = async (...args: readonly string[]) => JSON.parse((await ctl(...args, "-json")).stdout);
const pids = async (): Promise<readonly number[]> =>
  (await json("status")).workers.map((worker: { readonly pid: number }) => worker.pid);

const server = (version: string): readonly string[] => [
  ...["--", compiled("worker"), "-drain", "200"],
  ...["-lines", "5", "50", version],
];
const deploy = async (version: string): Promise<void> => {
  expect(await ctl("run", "-wait", ...server(version))).toMatchObject({ status: 0 });
};

/** What each reports that it runs on. */
const RUNTIME: Readonly<Record<Build, RegExp>> = { bun: /^bun /, engine: /^quickjs-ng \d+\.\d+/ };

/** What keeper and supervisor are, by the supervisor's own report and by their programs. */
const expectRuns = async (keeper: Build, supervisor: Build): Promise<void> => {
  const info: Info = await json("info");
  expect(info.pid).toBe(crank.pid);
  expect(info.supervisorDeaths).toBe(0);
  expect(info.runtime).toMatch(RUNTIME[supervisor]);
  const hasImage = readFileSync(`/proc/${crank.pid}/exe`).includes("crankimg");
  expect(hasImage ? "engine" : "bun").toBe(keeper);
};

const upgrade = async (to: Build, words = "supervisor and keeper"): Promise<void> => {
  expect(await ctl("upgrade", "-wait")).toMatchObject({ status: 0, stdout: expect.stringContaining(words) });
  if (words.includes("keeper")) await expectRuns(to, to);
};

/** The history, without what each build formats in its own way. */
const generations = async (): Promise<readonly string[]> =>
  (await ctl("history")).stdout.split("\n").map((line) => line.replace(/\d+-\d+-\S+ +/, ""));

/** The supervisor is asleep. */
const asleep = (): Promise<unknown> => waitFor("the supervisor to sleep", () => supervisorOf(crank) === undefined);

holds(
  "from Bun and back, twice and under load: no connection is refused or reset, and everything is still there",
  async () => {
    await start("bun");
    expect(await ctl("run", "-wait", "-instances", "2", ...server("v0"))).toMatchObject({ status: 0 });
    const load = new Load({ port: portOf(crank), anew: 10, pauseMs: 5, stays: 50, talkMs: 50 });
    await waitFor("the staying clients", () => load.staying === 50);
    let count = 0;
    for (const build of ["engine", "bun", "engine", "bun"] as const) {
      const before = await pids();
      const history = await generations();
      INSTALLS[build](prefix);
      await upgrade(build);
      expect(await pids()).toEqual(before);
      expect(await generations()).toEqual(history);
      expect((await ctl("logs", "-n", "5")).stdout.trim().split("\n")).toHaveLength(5);
      await deploy(`v${++count}`);
      await waitFor("what drains to be gone", async () => (await pids()).length === 2);
    }
    // What the other one wrote.
    expect(await ctl("rollback", "-wait")).toMatchObject({ status: 0 });
    expect(await json("info")).toMatchObject({ upgrades: 4 });
    const seen = await load.stop();
    console.log(`from Bun and back, twice: ${JSON.stringify(seen)}`);
    expect(seen).toMatchObject({ refused: 0, reset: 0, cut: 0, problems: [] });
    for (const lines of numberedLines(crank.stdout()).values())
      expect(lines).toEqual(lines.map((_, index) => (lines[0] ?? 0) + index));
  },
);

holds("a supervisor that sleeps while the other build is installed wakes up as what it was", async () => {
  await start("bun", "-linger", "0.1");
  await deploy("v1");
  for (const [from, to] of [
    ["bun", "engine"],
    ["engine", "bun"],
  ] as const) {
    await asleep();
    INSTALLS[to](prefix);
    await expectRuns(from, from);
    const [worker = 0] = await pids();
    await asleep();
    signal(worker, "SIGKILL");
    await waitFor("another worker", async () => {
      const now = await pids();
      return now.length === 1 && now[0] !== worker;
    });
    await expectRuns(from, from);
    await upgrade(to);
    await asleep();
    await expectRuns(to, to);
    await deploy(`v-${to}`);
  }
});

holds("commands work while one build is installed over the other, and one of its programs is there", async () => {
  const version = await bench.run([CRANKCTL, "-version"]);
  for (const [from, to] of [
    ["bun", "engine"],
    ["engine", "bun"],
  ] as const) {
    const next = join(bench.directory, `next-${to}`);
    INSTALLS[from](prefix);
    INSTALLS[to](next);
    for (const name of ["crank", "runtime"]) {
      replaceBy(program(name), readFileSync(join(next, "lib/crank/bin", name)));
      const ran = await bench.run(["timeout", "20", join(prefix, "bin/crankctl"), "-version"]);
      expect(ran).toEqual(version);
    }
  }
});

holds("the supervisor alone goes to the other build and back", async () => {
  await start("bun");
  const bun = program("bun-runtime");
  linkSync(program("runtime"), bun);
  await deploy("v1");
  const before = await pids();
  INSTALLS.engine(join(bench.directory, "engine"));
  const engine = join(bench.directory, "engine/lib/crank/bin/runtime");
  const supervisors = async (path: string, keeper: Build, supervisor: Build): Promise<void> => {
    replaceBy(program("runtime"), path);
    await upgrade(supervisor, ", the supervisor");
    await expectRuns(keeper, supervisor);
    expect(await pids()).toEqual(before);
  };
  await supervisors(engine, "bun", "engine");
  await supervisors(bun, "bun", "bun");
  INSTALLS.engine(prefix);
  await upgrade("engine");
  await supervisors(bun, "engine", "bun");
  await supervisors(program("crank"), "engine", "engine");
});

/** Replaces an installed program atomically, as packages do. */
const replaceBy = (path: string, target: string | Buffer): void => {
  if (typeof target === "string") symlinkSync(target, `${path}.other`);
  else writeFileSync(`${path}.other`, target, { mode: 0o755 });
  renameSync(`${path}.other`, path);
};

holds("a program that is broken leaves what ran before as it was, whichever build that is", async () => {
  await start("bun");
  await deploy("v1");
  const before = await pids();
  const whole = readFileSync(CRANK);
  // The older build has other messages.
  const damages: readonly (readonly [RegExp, () => void])[] = [
    [/not executable|no program that may be executed/, () => chmodSync(program("crank"), 0o644)],
    [/its check /, () => replaceBy(program("crank"), whole.subarray(0, 2_000_000))],
    [/its check /, () => replaceBy(program("crank"), whole.subarray(0, 100_000))],
    [/it cannot be executed/, () => replaceBy(program("crank"), Buffer.alloc(0))],
    [
      /its supervisor (exited|ended) with status 3/,
      () => replaceBy(program("runtime"), Buffer.from("#!/bin/sh\nexit 3\n")),
    ],
  ];
  for (const runs of ["bun", "engine"] as const) {
    INSTALLS.engine(prefix);
    if (runs === "engine") await upgrade("engine");
    // A different program than the running one, with the same behaviour.
    const next = Buffer.concat([whole, Buffer.from(`for ${runs}\n`)]);
    for (const [sentence, damage] of damages) {
      replaceBy(program("crank"), next);
      replaceBy(program("runtime"), "crank");
      damage();
      // The installed client is the same program.
      const refused = await bench.run([CRANKCTL, "-prefix", bench.directory, "-name", "web", "upgrade", "-wait"]);
      expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(sentence) });
      replaceBy(program("crank"), next);
      await expectRuns(runs, runs);
      expect(await pids()).toEqual(before);
    }
  }
});
