// The measured crank: with its own prefix, its processes, and their values in /proc.
import { readdirSync, readFileSync } from "node:fs";
import { compiled } from "../test/e2e/harness/apps.ts";
import { Bench, type Running } from "../test/e2e/harness/bench.ts";
import { supervisorOf } from "../test/e2e/harness/processes.ts";
import { waitFor } from "../test/e2e/harness/wait.ts";

/** The worker that measures. */
export const STOPWATCH = compiled("stopwatch");

/** Gives `use` its own bench and cleans it up. */
export const withBench = async <T>(use: (bench: Bench) => Promise<T>): Promise<T> => {
  const bench = new Bench();
  try {
    return await use(bench);
  } finally {
    await bench.clean();
  }
};

/** Runs a deploy, which must succeed. */
export const deploy = async (bench: Bench, flags: readonly string[], command: readonly string[]): Promise<void> => {
  const ended = await bench.ctl("web", "run", "-wait", ...flags, "--", ...command);
  if (ended.status !== 0) throw new Error(`a deploy failed: ${ended.stderr}`);
};

export const untilAsleep = (crank: Running): Promise<unknown> =>
  waitFor("the supervisor to sleep", () => supervisorOf(crank) === undefined);
export const untilAwake = (crank: Running): Promise<number> =>
  waitFor("the supervisor to be awake", () => supervisorOf(crank));

/**
 * Resident memory, MB; the part that the process has written (Private_Dirty); and the part that no other process uses
 * (Private_Clean too: the program's own pages, as long as no second process runs the same program).
 */
export const memoryOf = (
  pid: number,
): { readonly resident: number; readonly own: number; readonly unshared: number } => {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? Number.NaN) / 1024;
  return {
    resident: field("Rss"),
    own: field("Private_Dirty"),
    unshared: field("Private_Dirty") + field("Private_Clean"),
  };
};

/** Context switches of all threads so far: each is the beginning or the end of a wake-up. */
export const switchesOf = (pid: number): number => {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
    for (const [, count] of status.matchAll(/ctxt_switches:\s+(\d+)/g)) sum += Number(count);
  }
  return sum;
};

export const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
