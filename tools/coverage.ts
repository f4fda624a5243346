// `make coverage`: prints how many lines of src/ and keeper/ the tests run, by folder, and writes build/coverage/lcov.info.
// TypeScript is counted by Bun in the tests that load src/ into their own process; what runs inside bin/crank is not counted.
// C is counted by gcov in build/crank-coverage, a keeper that the tests of test/keeper/ drive. Arguments: its .gcno files.
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, relative } from "node:path";

const OUTPUT = "build/coverage";
/** The folders of test/ whose tests load src/; other tests run whole programs. */
const FOLDERS = ["commands", "control", "core", "frontends", "host", "keeper", "lives", "spec", "supervisor", "worker"];
/** Fewer random sequences are enough for coverage. */
const PROPERTY_RUNS = process.env.CRANK_PROPERTY_RUNS ?? "200";
/** Tests of the real keeper count for C. */
const DRIVES_KEEPER = /from "(\.\.\/harness\/(real-keeper|both-keepers)|\.\/stage)\.ts"/;
const FILE_LIMIT_MS = 900_000;
/** These run only on the engine inside bin/crank. */
const NOT_ON_BUN = /^src\/(main\.ts|host\/engine\/)/;
const WORST = 10;

/** For each file and line, how often it was run. */
type Hits = Map<string, Map<number, number>>;

const run = (command: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn(command, args, { stdio: "ignore", env: { ...process.env, ...env }, timeout: FILE_LIMIT_MS });
    child.on("error", () => resolve(false));
    child.on("exit", (status) => resolve(status === 0));
  });

const filesBelow = (folder: string, ending: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(ending))
    .map((path) => `${folder}/${path}`)
    .sort();

/** Writes a test that loads every module, so that modules which no test loads count too. */
const writeLoadingTest = (): string => {
  const path = `${OUTPUT}/load-all.test.ts`;
  const modules = filesBelow("src", ".ts").filter((file) => !NOT_ON_BUN.test(file));
  const imports = modules.map((file) => `await import(${JSON.stringify(relative(OUTPUT, file))});`);
  writeFileSync(
    path,
    `import { test } from "bun:test";\ntest("loads all", async () => {\n${imports.join("\n")}\n});\n`,
  );
  return path;
};

const addReport = (hits: Hits, report: string): void => {
  let lines = new Map<number, number>();
  for (const line of report.split("\n")) {
    const [, file] = /^SF:(.*)$/.exec(line) ?? [];
    if (file !== undefined) {
      lines = hits.get(file) ?? new Map();
      if (file.startsWith("src/")) hits.set(file, lines);
    }
    const [, number, count] = /^DA:(\d+),(\d+)/.exec(line) ?? [];
    if (number !== undefined) lines.set(Number(number), (lines.get(Number(number)) ?? 0) + Number(count));
  }
};

const countTypeScript = async (): Promise<Hits> => {
  const tests = FOLDERS.flatMap((folder) => filesBelow(`test/${folder}`, ".test.ts"));
  const queue = [writeLoadingTest(), ...tests.filter((file) => !DRIVES_KEEPER.test(readFileSync(file, "utf8")))];
  const hits: Hits = new Map();
  const takeFiles = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const scratch = mkdtempSync(join(tmpdir(), "crank-coverage-"));
      // Tests that run programs as another user must be able to reach it.
      chmodSync(scratch, 0o711);
      const flags = ["--timeout=600000", "--coverage", "--coverage-reporter=lcov", `--coverage-dir=${scratch}/report`];
      const env = { TMPDIR: scratch, CRANK_PROPERTY_RUNS: PROPERTY_RUNS };
      if (!(await run(process.execPath, ["test", ...flags, `./${file}`], env))) console.error(`${file} failed`);
      try {
        addReport(hits, readFileSync(join(scratch, "report/lcov.info"), "utf8"));
      } catch {
        // A file that crashed, or loads nothing of src/, has no report.
      }
      rmSync(scratch, { recursive: true, force: true });
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, takeFiles));
  return hits;
};

const countC = async (notes: readonly string[]): Promise<Hits> => {
  for (const file of filesBelow(`${OUTPUT}/keeper`, ".gcda")) rmSync(file);
  const env = { CRANK_KEEPER: join(process.cwd(), "build/crank-coverage"), GCOV_ERROR_FILE: "/dev/null" };
  if (!(await run(process.execPath, ["test/run.ts", "test/keeper/"], env)))
    console.error("tests of test/keeper/ failed");
  const hits: Hits = new Map();
  for (const note of notes) {
    const { stdout } = spawnSync("gcov", ["--json-format", "--stdout", note], { encoding: "utf8", maxBuffer: 2 ** 28 });
    // gcov's own format (gcov(1), "JSON format").
    const report = JSON.parse(stdout) as {
      readonly files: readonly {
        readonly file: string;
        readonly lines: readonly { readonly line_number: number; readonly count: number }[];
      }[];
    };
    for (const { file, lines } of report.files) {
      if (!file.startsWith("keeper/")) continue;
      const known = hits.get(file) ?? new Map<number, number>();
      for (const line of lines) known.set(line.line_number, (known.get(line.line_number) ?? 0) + line.count);
      hits.set(file, known);
    }
  }
  return hits;
};

type Sum = { readonly name: string; readonly files: number; readonly lines: number; readonly covered: number };

const sumOf = (name: string, files: readonly ReadonlyMap<number, number>[]): Sum => ({
  name,
  files: files.length,
  lines: files.reduce((sum, lines) => sum + lines.size, 0),
  covered: files.reduce((sum, lines) => sum + [...lines.values()].filter((count) => count > 0).length, 0),
});

const percent = ({ lines, covered }: Sum): string => `${((100 * covered) / Math.max(lines, 1)).toFixed(1)} %`;

const row = (cells: readonly string[]): string =>
  cells.map((cell, index) => (index === 0 ? cell.padEnd(36) : cell.padStart(9))).join("");

const folderOf = (file: string): string => file.slice(0, file.lastIndexOf("/"));

const print = (title: string, hits: Hits): void => {
  const folders = [...new Set([...hits.keys()].map(folderOf))].sort();
  const inFolder = (folder: string) =>
    [...hits].filter(([file]) => folderOf(file) === folder).map(([, lines]) => lines);
  const sums = [...folders.map((folder) => sumOf(folder, inFolder(folder))), sumOf("all", [...hits.values()])];
  console.log(`\n${row([title, "files", "lines", "run", "share"])}`);
  for (const sum of sums)
    console.log(row([sum.name, String(sum.files), String(sum.lines), String(sum.covered), percent(sum)]));
  const missed = [...hits].map(([file, lines]) => sumOf(file, [lines])).filter((sum) => sum.covered < sum.lines);
  missed.sort((a, b) => b.lines - b.covered - (a.lines - a.covered));
  console.log("most lines not run:");
  for (const sum of missed.slice(0, WORST))
    console.log(row([`  ${sum.name}`, "", String(sum.lines), String(sum.covered), percent(sum)]));
};

const writeReport = (hits: Hits): void => {
  const records = [...hits].map(([file, lines]) =>
    [`SF:${file}`, ...[...lines].map(([line, count]) => `DA:${line},${count}`), "end_of_record"].join("\n"),
  );
  writeFileSync(`${OUTPUT}/lcov.info`, `${records.join("\n")}\n`);
};

mkdirSync(`${OUTPUT}/keeper`, { recursive: true });
const typeScript = await countTypeScript();
print("TypeScript, loaded by tests", typeScript);
const c = await countC(process.argv.slice(2));
print("C, the keeper's tests", c);
writeReport(new Map([...typeScript, ...c]));
