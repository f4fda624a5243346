// What this machine lacks for the tests. Debian packages are installed if possible (tools/test-packages.sh); what is still
// missing is reported in a sentence each, and its tests are skipped.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const DENO = "build/deno/node_modules/@deno";
const DENO_WANTED_BY = ["test/worker/"];

type Missing = {
  readonly name: string;
  /** Test files that cannot run without it, by the beginning of their paths. */
  readonly whole: readonly string[];
  /** Test files of which some tests cannot. */
  readonly single: readonly string[];
};

const startsWithOne = (file: string, beginnings: readonly string[]): boolean =>
  beginnings.some((beginning) => file.startsWith(beginning));

const missingPackages = (root: string): readonly Missing[] => {
  const { stdout } = spawnSync("sh", ["tools/test-packages.sh", "missing"], { cwd: root, encoding: "utf8" });
  const words = (text = ""): string[] => text.split(" ").filter((word) => word !== "");
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [name = "", whole, single] = line.split("\t");
      return { name, whole: words(whole), single: words(single) };
    });
};

/** Checks what these files need, installs what can be installed, and reports what is skipped. */
export const prepareMachine = (root: string, files: readonly string[]): readonly Missing[] => {
  const wanted = (): readonly Missing[] =>
    missingPackages(root).filter(({ whole, single }) =>
      files.some((file) => startsWithOne(file, whole) || startsWithOne(file, single)),
    );
  let missing = wanted();
  if (missing.length > 0) {
    const words = ["tools/test-packages.sh", "install", ...missing.map(({ name }) => name)];
    spawnSync("sh", words, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
    missing = wanted();
  }
  for (const { name, whole, single } of missing) {
    const what = [...whole, ...single].join(", ");
    console.log(`without ${name}, tests in ${what} are left out; to have it: apt-get install ${name}`);
  }
  const wantsDeno = files.some((file) => startsWithOne(file, DENO_WANTED_BY));
  if (wantsDeno && !existsSync(join(root, DENO)) && !installDeno(root))
    console.log("without Deno, the library for workers is not tested on it; to have it: make deno");
  return missing;
};

const installDeno = (root: string): boolean => {
  const { MAKEFLAGS, MAKELEVEL, MFLAGS, ...env } = process.env;
  return spawnSync("make", ["deno"], { cwd: root, env, stdio: ["ignore", "inherit", "ignore"] }).status === 0;
};

/** Why this file cannot run: the missing package. */
export const reasonToLeaveOut = (missing: readonly Missing[], file: string): string | null =>
  missing.find(({ whole }) => startsWithOne(file, whole))?.name ?? null;
