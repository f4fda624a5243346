// The runtimes that the library supports, and how each runs a program.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { ROOT } from "../e2e/harness/bench.ts";

/** The path of a command, if it is installed. */
export const inPath = (name: string): string | undefined =>
  (process.env.PATH ?? "")
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path));

const installedDeno = join(ROOT, "build/deno/node_modules/@deno/linux-x64-glibc/deno");

export type RuntimeName = "Node" | "Bun" | "Deno";

const deno = existsSync(installedDeno) ? installedDeno : inPath("deno");

/** The arguments before the program's path. Deno is missing if it is not installed (`make deno`). */
export const RUNTIMES: ReadonlyMap<RuntimeName, readonly string[]> = new Map<RuntimeName, readonly string[]>([
  ["Node", [process.env.CRANK_TEST_NODE ?? inPath("node") ?? "node"]],
  ["Bun", [process.execPath]],
  ...(deno ? ([["Deno", [deno, "run", "--allow-all", "--quiet", "--no-lock"]]] as const) : []),
]);
