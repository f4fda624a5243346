// Runs every test file in a process of its own, a few at a time, and sums up. `make test` calls it. Words given to it
// choose the files whose path holds one of them: `make test ONLY="e2e core/rollout"`.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Job, type JobResult, runJob } from "./runner/job.ts";
import { failuresFirst, failuresIn, needsIn, skippedIn } from "./runner/output.ts";
import { prepareMachine, reasonToLeaveOut } from "./runner/packages.ts";
import { jobsFor } from "./runner/plan.ts";
import { duration, Progress } from "./runner/progress.ts";
import { pathWithPlainPython } from "./runner/python.ts";
import { runWhereReachable } from "./runner/reachable.ts";
import { limitMs, nameOf, saveTimes } from "./runner/times.ts";

/** When the whole run is ended, if it is to be: s. Each file has a limit of its own besides (runner/times.ts). */
const RUN_LIMIT_S = process.env.CRANK_TEST_SECONDS;

/** Three more than there are processors: most of what a test does is waiting. */
const AT_A_TIME = availableParallelism() + 3;

/** How many of the files that took most are named at the end of a long run. */
const NAMED = 8;

const root = resolve(import.meta.dirname, "..");

type Done = { readonly job: Job; readonly result: JobResult };
type NotRun = { readonly job: Job; readonly reason: string };

const processorTimeOf = ({ usedMs }: JobResult): string =>
  usedMs === null ? "" : `, ${duration(usedMs)} of processor time`;

const describeResult = (job: Job, result: JobResult): string => {
  const word = result.failed > 0 ? "FAIL" : "ok  ";
  const failed = result.failed > 0 ? `, ${result.failed} failed` : "";
  const skipped = result.skipped > 0 ? `, ${result.skipped} not run` : "";
  const line = `${word} ${nameOf(job)}: ${result.passed} passed${failed}${skipped} (${duration(result.tookMs)}${processorTimeOf(result)})`;
  if (result.failed === 0) return line;
  const details = [...result.complaints, failuresFirst(result.output)].join("\n");
  return `${line}\n${details.replace(/^/gm, "     ")}`;
};

/** Ends the run when its time is over or it is interrupted; the reason is a string. */
const stopSignal = (): AbortSignal => {
  const controller = new AbortController();
  const stop = (reason: string): void => controller.abort(reason);
  if (RUN_LIMIT_S !== undefined)
    setTimeout(() => stop(`the limit of ${RUN_LIMIT_S} s was reached`), Number(RUN_LIMIT_S) * 1000).unref();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop("interrupted"));
  return controller.signal;
};

const runAll = async (jobs: readonly Job[], stop: AbortSignal): Promise<{ done: Done[]; notRun: NotRun[] }> => {
  const temporary = mkdtempSync(join(tmpdir(), "crank-test-"));
  // Tests that run something as another user have to be able to reach it.
  chmodSync(temporary, 0o711);
  const progress = new Progress(jobs.length);
  const done: Done[] = [];
  const notRun: NotRun[] = [];
  const queue = [...jobs.entries()];
  const takeJobs = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, job] = next;
      if (stop.aborted) {
        notRun.push({ job, reason: String(stop.reason) });
        continue;
      }
      progress.began(nameOf(job));
      const result = await runJob({
        job,
        root,
        temporary: join(temporary, String(index)),
        limitMs: limitMs(job),
        stop,
      });
      if (result.cutShort !== null) {
        notRun.push({ job, reason: result.cutShort });
        continue;
      }
      done.push({ job, result });
      progress.ended(nameOf(job), describeResult(job, result), result.failed > 0);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, takeJobs));
  progress.clear();
  rmSync(temporary, { recursive: true, force: true });
  return { done, notRun };
};

/** Names what failed and what was not run, and why; the reasons, with how many tests or files each. */
const nameLosses = (done: readonly Done[], notRun: readonly NotRun[]): ReadonlyMap<string, number> => {
  for (const { job, result } of done) {
    if (result.failed === 0) continue;
    console.log(`failed: ${nameOf(job)}`);
    for (const failure of [...failuresIn(result.output), ...result.complaints]) console.log(`        ${failure}`);
  }
  const reasons = new Map<string, number>();
  const count = (reason: string, times: number): void => {
    reasons.set(reason, (reasons.get(reason) ?? 0) + times);
  };
  for (const { job, result } of done) {
    for (const name of skippedIn(result.output)) console.log(`not run: ${nameOf(job)}: ${name}`);
    for (const [need, times] of needsIn(result.output)) count(need, times);
  }
  for (const { job, reason } of notRun) {
    console.log(`not run: ${nameOf(job)}: ${reason}`);
    count(reason, 1);
  }
  return reasons;
};

/** The files of which this is greatest, with it. */
const most = (done: readonly Done[], pick: (result: JobResult) => number): string =>
  [...done]
    .sort((a, b) => pick(b.result) - pick(a.result))
    .slice(0, NAMED)
    .map(({ job, result }) => `${nameOf(job)} ${duration(pick(result))}`)
    .join(", ");

const main = async (): Promise<void> => {
  const startedAt = performance.now();
  const jobs = jobsFor(root, process.argv.slice(2));
  if (jobs.length === 0) console.log("no test file was found");
  const missing = prepareMachine(
    root,
    jobs.map(({ file }) => file),
  );
  // The tests that call make do not share the jobs of the one that called this.
  for (const name of ["MAKEFLAGS", "MFLAGS", "MAKELEVEL"]) delete process.env[name];
  process.env.PATH = pathWithPlainPython(process.env.PATH ?? "", root);
  const leftOut = jobs.flatMap((job): NotRun[] => {
    const reason = reasonToLeaveOut(missing, job.file);
    return reason === null ? [] : [{ job, reason }];
  });
  const isLeftOut = new Set(leftOut.map(({ job }) => job));
  process.env.CRANK_TEST_MISSING = missing.map(({ name }) => name).join(" ");

  const stop = stopSignal();
  const { done, notRun } = await runAll(
    jobs.filter((job) => !isLeftOut.has(job)),
    stop,
  );
  saveTimes(new Map(done.map(({ job, result }) => [nameOf(job), result.tookMs])));

  const reasons = nameLosses(done, [...leftOut, ...notRun]);
  const sum = (pick: (result: JobResult) => number): number =>
    done.reduce((total, { result }) => total + pick(result), 0);
  if (done.length > NAMED) {
    const usedMs = sum((result) => result.usedMs ?? 0);
    console.log(`slowest: ${most(done, ({ tookMs }) => tookMs)}`);
    if (usedMs > 0) console.log(`most processor time: ${most(done, (result) => result.usedMs ?? 0)}`);
    const used = usedMs > 0 ? `, ${duration(usedMs)} of processor time` : "";
    console.log(`took ${duration(performance.now() - startedAt)}${used}`);
  }
  const failed = sum((result) => result.failed) + (jobs.length === 0 ? 1 : 0);
  const lost = [...reasons.values()].reduce((total, times) => total + times, 0);
  const tail = lost === 0 ? "" : `, ${lost} not run: ${[...reasons.keys()].join(", ")}`;
  console.log(`${sum((result) => result.passed)} passed, ${failed} failed${tail}`);
  process.exitCode = stop.aborted || failed > 0 ? 1 : 0;
};

const status = await runWhereReachable(root);
if (status === null) await main();
else process.exitCode = status;
