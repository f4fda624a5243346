// The last duration of each test file: test/runner/times.json, which is checked in, and build/test-times.json, which every
// run on this machine writes. They determine the order of a run and each file's time limit.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Job } from "./job.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const CHECKED_IN = join(ROOT, "test/runner/times.json");
const LOCAL = join(ROOT, "build/test-times.json");

/** For a file without a time: the middle of the others. */
const UNKNOWN_MS = 8000;
/** A file may take this many times longer than before, and at least this long, because other work may use the processors. */
const TIMES_EXPECTED = 10;
const LEAST_LIMIT_MS = 300_000;

type Times = Readonly<Record<string, number>>;

const read = (path: string): Times => {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value !== "object" || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
    );
  } catch {
    return {}; // no run yet, or one that was killed while writing
  }
};

/** The key of a job, which is also its displayed name. */
export const nameOf = (job: Job): string => job.file;

const known: Times = { ...read(CHECKED_IN), ...read(LOCAL) };

export const expectedMs = (job: Job): number => {
  const seconds = known[nameOf(job)];
  return seconds === undefined ? UNKNOWN_MS : seconds * 1000;
};

/** When a file counts as hanging. Tests have limits of their own; this is for hangs that block even those. */
export const limitMs = (job: Job): number => LEAST_LIMIT_MS + TIMES_EXPECTED * expectedMs(job);

/** Saves the jobs' times; with CRANK_TEST_TIMES=save in the checked-in table, which then holds only these jobs. */
export const saveTimes = (took: ReadonlyMap<string, number>): void => {
  const seconds = Object.fromEntries([...took].map(([name, ms]) => [name, Math.round(ms / 100) / 10]));
  const sorted = (times: Times): string =>
    `${JSON.stringify(Object.fromEntries(Object.entries(times).sort()), null, 2)}\n`;
  if (process.env.CRANK_TEST_TIMES === "save") writeFileSync(CHECKED_IN, sorted(seconds));
  mkdirSync(join(ROOT, "build"), { recursive: true });
  writeFileSync(LOCAL, sorted({ ...read(LOCAL), ...seconds }));
};
