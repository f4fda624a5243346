// Which test files run, and in which order.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "./job.ts";
import { expectedMs } from "./times.ts";

/** Only when a word names them: these programs have to be installed first, and take their time. */
const ON_REQUEST = "test/recipes/";

const testFiles = (root: string, isNamed: boolean): readonly string[] =>
  readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.ts"))
    .map((path) => `test/${path}`)
    .filter((file) => !file.startsWith(ON_REQUEST) || isNamed)
    .sort();

/** The jobs for these words (all files without any), longest first: no processor is left with a long one at the end. */
export const jobsFor = (root: string, words: readonly string[]): readonly Job[] =>
  testFiles(
    root,
    words.some((word) => word.includes("recipes")),
  )
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .map((file) => ({ file }))
    .sort((a, b) => expectedMs(b) - expectedMs(a));
