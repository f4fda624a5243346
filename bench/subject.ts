// What is measured: a crank with its own prefix, the processes that belong to it, and what /proc says of them.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Bench, descendants, ROOT, type Running, waitFor } from "../test/e2e/harness/service.ts";

export const STOPWATCH = join(ROOT, "build/stopwatch");
export const SERVER = join(ROOT, "test/apps/server.py");

/** Gives `use` a bench of its own and cleans it up. */
export const withBench = async <T>(use: (bench: Bench) => Promise<T>): Promise<T> => {
  const bench = new Bench();
  try {
    return await use(bench);
  } finally {
    await bench.clean();
  }
};

/** Compiles the measuring worker, if that has not been done. */
export const buildStopwatch = (): void => {
  const compiled = Bun.spawnSync(["cc", "-O2", "-o", STOPWATCH, join(ROOT, "test/apps/stopwatch.c")]);
  if (compiled.exitCode !== 0) throw new Error(`the measuring worker does not compile: ${compiled.stderr.toString()}`);
};

/** Runs a deploy to its end, which has to be a good one. */
export const deploy = async (bench: Bench, flags: readonly string[], command: readonly string[]): Promise<void> => {
  const ended = await bench.ctl("web", "run", "-wait", ...flags, "--", ...command);
  if (ended.status !== 0) throw new Error(`a deploy failed: ${ended.stderr}`);
};

/** The supervisor's pid while it is awake: the keeper's child that has the keeper's own arguments. */
export const supervisorOf = (crank: Running): number | undefined => {
  const own = argumentsOf(crank.pid);
  return childrenOf(crank.pid).find((pid) => own.length > 0 && argumentsOf(pid).endsWith(own));
};

const childrenOf = (pid: number): number[] => descendants(pid).filter((child) => readStat(child)[1] === String(pid));

const argumentsOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(1).join("\0");
  } catch {
    return "";
  }
};

/** The fields of /proc/PID/stat from the state on. */
const readStat = (pid: number): string[] => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
};

export const untilAsleep = (crank: Running): Promise<unknown> =>
  waitFor("the supervisor to sleep", () => supervisorOf(crank) === undefined);
export const untilAwake = (crank: Running): Promise<number> =>
  waitFor("the supervisor to be awake", () => supervisorOf(crank));

/** Resident memory and what of it is the process's own (Private_Dirty), MB. */
export const memoryOf = (pid: number): { readonly resident: number; readonly own: number } => {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? Number.NaN) / 1024;
  return { resident: field("Rss"), own: field("Private_Dirty") };
};

/** Context switches of all threads so far: each is a wake-up, or the end of one. */
export const switchesOf = (pid: number): number => {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
    for (const [, count] of status.matchAll(/ctxt_switches:\s+(\d+)/g)) sum += Number(count);
  }
  return sum;
};

export const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
