// Which test files run, on which runtime, and in which order.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "./job.ts";
import { expectedMs } from "./times.ts";

/** Run again with crank's own processes on Node, when a word names the file: these folders … */
const ON_NODE_TOO = ["test/e2e/"];
/** … without what kills supervisors faster than Node starts. */
const ON_BUN_ONLY = ["test/e2e/load"];
/** In a run of everything, only these files of test/e2e run on Node too. CRANK_TEST_NODE=all runs the others as well. */
const ALWAYS_ON_NODE = ["crank-life", "workers", "upgrade", "metrics", "socketmaster", "einhyrningsins-protocol"];

/** Only when a word names them: these programs have to be installed first, and take their time. */
const ON_REQUEST = "test/recipes/";

const testFiles = (root: string, isNamed: boolean): readonly string[] =>
  readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.ts"))
    .map((path) => `test/${path}`)
    .filter((file) => !file.startsWith(ON_REQUEST) || isNamed)
    .sort();

const runsOnNode = (file: string, words: readonly string[]): boolean => {
  const isOneOf = (places: readonly string[]): boolean => places.some((place) => file.startsWith(place));
  if (!isOneOf(ON_NODE_TOO) || isOneOf(ON_BUN_ONLY)) return false;
  const isWhole = words.length === 0 && process.env.CRANK_TEST_NODE !== "all";
  return !isWhole || ALWAYS_ON_NODE.some((name) => file === `test/e2e/${name}.test.ts`);
};

/** The jobs for these words (all files without any), longest first: no processor is left with a long one at the end. */
export const jobsFor = (root: string, words: readonly string[]): readonly Job[] =>
  testFiles(
    root,
    words.some((word) => word.includes("recipes")),
  )
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .flatMap((file): readonly Job[] => [
      { file, runtime: "bun" },
      ...(runsOnNode(file, words) ? [{ file, runtime: "node" } as const] : []),
    ])
    .sort((a, b) => expectedMs(b) - expectedMs(a));
