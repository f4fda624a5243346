// One test file in a process of its own: started, bounded in time, counted, and cleaned up after.
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { endProcesses, MARK, processesOf } from "./leftovers.ts";
import { countProcessorTime, type ProcessorTime } from "./processor-time.ts";

export type Job = { readonly file: string };

export type JobResult = {
  /** Why this file was ended early without a failure; null if it was not. */
  readonly cutShort: string | null;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What is wrong besides failed tests: a crash, a time-out, something left behind. */
  readonly complaints: readonly string[];
  readonly output: string;
  readonly tookMs: number;
  /** Processor time of everything that it started; null if that is not counted. */
  readonly usedMs: number | null;
};

export type JobOptions = {
  readonly job: Job;
  readonly root: string;
  /** A directory for this job alone, created here; files that remain in it were left behind. */
  readonly temporary: string;
  /** When this file counts as hanging: ms. */
  readonly limitMs: number;
  /** Ends the file early; the reason is a string. */
  readonly stop: AbortSignal;
};

/** The result of a file that was ended early. */
const NOTHING = { passed: 0, failed: 0, skipped: 0, complaints: [], output: "", tookMs: 0, usedMs: null };

/** The time limit of a test without its own: ms. */
const TEST_LIMIT_MS = 180_000;
/** The time limit for processes to exit after a signal: ms. */
const SETTLE_MS = 15_000;

type Counts = { readonly tests: number; readonly failures: number; readonly skipped: number };

/** The counts on the outermost element of a JUnit file, or null when there is none. */
const readCounts = (path: string): Counts | null => {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return null;
  }
  const element = /<testsuites\b[^>]*>/.exec(text)?.[0];
  if (element === undefined) return null;
  const attribute = (name: string): number => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(element)?.[1] ?? 0);
  return { tests: attribute("tests"), failures: attribute("failures"), skipped: attribute("skipped") };
};

type Ending = { readonly output: string; readonly status: string; readonly timedOut: boolean };

type Places = {
  /** The mark of its processes. */
  readonly mark: string;
  /** Its temporary directory. */
  readonly scratch: string;
  /** The file for the counts. */
  readonly report: string;
};

const runTests = (options: JobOptions, places: Places, processorTime: ProcessorTime | null): Promise<Ending> =>
  new Promise((settle) => {
    const { mark, scratch, report } = places;
    const arguments_ = ["test", `./${options.job.file}`, `--timeout=${TEST_LIMIT_MS}`];
    const child = spawn(process.execPath, [...arguments_, "--reporter=junit", `--reporter-outfile=${report}`], {
      cwd: options.root,
      env: {
        ...process.env,
        TMPDIR: scratch,
        [MARK]: mark,
      },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    if (child.pid !== undefined) processorTime?.add(child.pid);
    const pieces: Buffer[] = [];
    child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
    child.stderr.on("data", (piece: Buffer) => pieces.push(piece));
    let timedOut = false;
    const end = (): void => endProcesses(processesOf(mark));
    const alarm = setTimeout(() => {
      timedOut = true;
      end();
    }, options.limitMs);
    options.stop.addEventListener("abort", end);
    const finish = (status: string): void => {
      clearTimeout(alarm);
      options.stop.removeEventListener("abort", end);
      settle({ output: Buffer.concat(pieces).toString("utf8"), status, timedOut });
    };
    child.on("error", (error) => finish(error.message));
    // Not "close": a process that was left behind may hold the pipes open forever.
    child.on("exit", (code, signal) => setImmediate(() => finish(signal ?? String(code))));
  });

/** Waits for all processes that this job started to exit, then ends and names those that remain. */
const collectProcesses = async (mark: string): Promise<readonly string[]> => {
  const giveUpAt = performance.now() + SETTLE_MS;
  let left = processesOf(mark);
  while (left.length > 0 && performance.now() < giveUpAt) {
    await new Promise((wake) => setTimeout(wake, 50));
    left = processesOf(mark);
  }
  endProcesses(left);
  return left.map((found) => `left running: ${found.pid} ${found.command}`);
};

/** Runs one test file. Never throws: failures are in the result. */
export const runJob = async (options: JobOptions): Promise<JobResult> => {
  const startedAt = performance.now();
  const scratch = join(options.temporary, "t");
  const report = join(options.temporary, "report.xml");
  const mark = options.temporary;
  mkdirSync(scratch, { recursive: true });

  const processorTime = countProcessorTime();
  const ending = await runTests(options, { mark, scratch, report }, processorTime);
  const left = await collectProcesses(mark);
  const usedMs = processorTime?.end() ?? null;
  const files = readdirSync(scratch).map((name) => `left in the temporary directory: ${name}`);
  const counts = readCounts(report) ?? { tests: 0, failures: 0, skipped: 0 };
  rmSync(options.temporary, { recursive: true, force: true });

  if (options.stop.aborted) return { ...NOTHING, cutShort: String(options.stop.reason) };
  const complaints = [...left, ...files];
  if (ending.timedOut) complaints.push(`did not end within ${Math.round(options.limitMs / 1000)} s`);
  else if (counts.tests === 0) complaints.push(`no test was run (ended with ${ending.status})`);
  else if (ending.status !== "0" && counts.failures === 0) complaints.push(`ended with ${ending.status}`);
  return {
    cutShort: null,
    passed: counts.tests - counts.failures - counts.skipped,
    failed: counts.failures + complaints.length,
    skipped: counts.skipped,
    complaints,
    output: ending.output,
    tookMs: performance.now() - startedAt,
    usedMs,
  };
};
