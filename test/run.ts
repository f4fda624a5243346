// Runs every test file in a process of its own, a few at a time, and sums up. `make test` calls it. Words given to it
// choose the files whose path holds one of them: `make test ONLY="e2e core/rollout"`.
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Job, type JobResult, runJob } from "./runner/job.ts";
import { failuresFirst, failuresIn, skippedIn } from "./runner/output.ts";

/** The whole run ends after this long, whatever hangs: ms. */
const RUN_LIMIT_MS = Number(process.env.CRANK_TEST_SECONDS ?? 900) * 1000;

/** What takes long goes first, so that no processor is left with it alone at the end. */
const FIRST = ["test/e2e/load", "test/sim/", "test/core/simulator", "test/setup/", "test/e2e/", "test/keeper/"];

/** Runs again with crank's own processes on Node, for what touches the runtime: these folders, if a word names the file … */
const ON_NODE_TOO = ["test/e2e/"];
/** … less what kills supervisors faster than Node starts. */
const ON_BUN_ONLY = ["test/e2e/load"];
/** In a run of everything, of each subject what has most of it: files of test/e2e. CRANK_TEST_NODE=all runs the others as well. */
const ALWAYS_ON_NODE = [
  ...["bad-clients", "crank-life", "crank-start", "workers", "readiness", "liveness", "worker-words", "hand-over"],
  ...["metrics", "watch", "service-manager", "upgrade", "upgrade-failed", "socketmaster", "einhyrningsins-protocol"],
  ...["einhyrningsinsctl", "einhorn-protocol"],
];

/** Only when a word names it: these programs have to be installed first, and take their time. */
const ON_REQUEST = "test/recipes/";

/** One more than there are processors: most of what a test does is waiting. */
const AT_A_TIME = availableParallelism() + 1;

/** What tests run besides crank and Node, each command with Debian's package: servers, a clone, the other side of systemd's protocols. */
const NEEDED: Readonly<Record<string, string>> = {
  python3: "python3",
  git: "git",
  ruby: "ruby",
  go: "golang-go",
  "systemd-socket-activate": "systemd",
  tmux: "tmux",
  ps: "procps",
};

/** Wanted by the library's tests; they are fewer without it. */
const DENO = "build/deno/node_modules/@deno";

const root = resolve(import.meta.dirname, "..");

const testFiles = (isNamed: boolean): readonly string[] =>
  readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.ts"))
    .map((path) => `test/${path}`)
    .filter((file) => !file.startsWith(ON_REQUEST) || isNamed)
    .sort();

const rank = (file: string): number => {
  const place = FIRST.findIndex((folder) => file.startsWith(folder));
  return place === -1 ? FIRST.length : place;
};

const runsOnNode = (file: string, words: readonly string[]): boolean => {
  const isOneOf = (places: readonly string[]): boolean => places.some((place) => file.startsWith(place));
  if (!isOneOf(ON_NODE_TOO) || isOneOf(ON_BUN_ONLY)) return false;
  const isWhole = words.length === 0 && process.env.CRANK_TEST_NODE !== "all";
  return !isWhole || ALWAYS_ON_NODE.some((name) => file === `test/e2e/${name}.test.ts`);
};

const jobsFor = (words: readonly string[]): readonly Job[] =>
  testFiles(words.some((word) => word.includes("recipes")))
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .flatMap((file): readonly Job[] => [
      { file, runtime: "bun" },
      ...(runsOnNode(file, words) ? [{ file, runtime: "node" } as const] : []),
    ])
    .sort((a, b) => rank(a.file) - rank(b.file));

const nameOf = (job: Job): string => (job.runtime === "node" ? `${job.file} (on Node)` : job.file);

const report = (job: Job, result: JobResult): void => {
  const word = result.failed > 0 ? "FAIL" : "ok  ";
  const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : "";
  const counts = `${result.passed} passed${result.failed > 0 ? `, ${result.failed} failed` : ""}${skipped}`;
  console.log(`${word} ${nameOf(job)}: ${counts} (${(result.tookMs / 1000).toFixed(1)} s)`);
  if (result.failed === 0) return;
  for (const complaint of result.complaints) console.log(`     ${complaint}`);
  console.log(failuresFirst(result.output).replace(/^/gm, "     "));
};

const missingCommands = (): readonly string[] =>
  Object.keys(NEEDED).filter(
    (name) => !(process.env.PATH ?? "").split(":").some((directory) => existsSync(join(directory, name))),
  );

const main = async (): Promise<void> => {
  const missing = missingCommands();
  if (missing.length > 0)
    console.log(
      `missing for some tests: ${missing.join(", ")}; on Debian and Ubuntu: apt-get install ${missing.map((name) => NEEDED[name]).join(" ")}`,
    );
  if (!existsSync(join(root, DENO)))
    console.log("Deno is missing: the library is not tested on it; `make deno` installs it");
  const jobs = jobsFor(process.argv.slice(2));
  const temporary = mkdtempSync(join(tmpdir(), "crank-test-"));
  // Tests that run something as another user have to be able to reach it.
  chmodSync(temporary, 0o711);
  const deadline = performance.now() + RUN_LIMIT_MS;
  const results: { readonly job: Job; readonly result: JobResult }[] = [];

  let next = 0;
  const takeJobs = async (): Promise<void> => {
    for (let index = next++; index < jobs.length; index = next++) {
      const job = jobs[index];
      if (job === undefined) return;
      const result = await runJob({ job, root, temporary: join(temporary, String(index)), deadline });
      report(job, result);
      results.push({ job, result });
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, takeJobs));
  rmSync(temporary, { recursive: true, force: true });

  const total = (pick: (result: JobResult) => number): number =>
    results.reduce((sum, { result }) => sum + pick(result), 0);
  const failed = total((result) => result.failed) + (jobs.length === 0 ? 1 : 0);
  if (jobs.length === 0) console.log("no test file was found");
  for (const { job, result } of results) {
    if (result.failed === 0) continue;
    console.log(`failed: ${nameOf(job)}`);
    for (const failure of [...failuresIn(result.output), ...result.complaints]) console.log(`        ${failure}`);
  }
  const skipped = total((result) => result.skipped);
  for (const { job, result } of results)
    for (const name of skippedIn(result.output)) console.log(`skipped: ${nameOf(job)}: ${name}`);
  if (skipped > 0) console.log(`${skipped} skipped`);
  console.log(`${total((result) => result.passed)} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
};

await main();
