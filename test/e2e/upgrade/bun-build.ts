// The last crank whose supervisors and commands ran on Bun: built once from git's history, kept in build/bun-build, and
// installed by its own Makefile.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Fact } from "../../needs.ts";
import { ROOT } from "../harness/bench.ts";

/** How its Makefile compiled the commands into Bun. The commit is found by that, since its name may change. */
const MARK = "--compile --bytecode";
const PACKAGES = "node_modules/.crank-installed";
/** Compiling takes longer than everything that its keeper does here. */
const QUICKLY = ["CFLAGS=-O0"];

/** Runs a command to its end, without the variables of an outer make. Throws with its output if it fails. */
const run = (words: readonly string[], directory: string): string => {
  const { MAKEFLAGS, MAKELEVEL, MFLAGS, ...env } = process.env;
  const [command = "", ...args] = words;
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: directory, env, encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`${words.join(" ")}: status ${status}: ${stdout}${stderr}`);
  return stdout;
};

/** The commit before the one that removed the mark; null where git or its history is missing or is cut off before it. */
const find = (): string | null => {
  try {
    const last =
      run(["git", "log", "-1", "--format=%P", "-S", MARK, "--", "Makefile"], ROOT).trim().split(" ")[0] ?? "";
    return last !== "" && run(["git", "show", `${last}:Makefile`], ROOT).includes(MARK) ? last : null;
  } catch {
    return null;
  }
};

const commit = find();

export const BUN_BUILD: Fact = { name: "the whole history in git, for the last build on Bun", isMet: commit !== null };

/** Its checkout, built. */
const built = (): string => {
  if (commit === null) throw new Error(BUN_BUILD.name);
  const directory = join(ROOT, "build/bun-build", commit);
  if (existsSync(directory)) return directory;
  // It appears as a whole: tests run in parallel.
  const fresh = `${directory}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  try {
    run(["sh", "-c", 'git archive "$0" | tar -x -C "$1"', commit, fresh], ROOT);
    // Its tests and its linter's configuration would be taken for this checkout's.
    for (const left of ["test", "biome.json"]) rmSync(join(fresh, left), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(fresh, "node_modules"));
    // This checkout's packages are all that it needs: the same version of Bun, and the bundled packages.
    run(["make", "-s", "-j2", "-o", PACKAGES, "all", ...QUICKLY], fresh);
    if (!existsSync(directory)) renameSync(fresh, directory);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return directory;
};

/** Installs a checkout's build below `prefix`, over what is there. */
const installFrom = (checkout: string, prefix: string, ...settings: readonly string[]): void => {
  run(["make", "-s", "-o", PACKAGES, "install", `PREFIX=${prefix}`, ...settings], checkout);
};

export const installBunBuild = (prefix: string): void => installFrom(built(), prefix, ...QUICKLY);
export const installThisBuild = (prefix: string): void => installFrom(ROOT, prefix);
