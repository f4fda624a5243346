// Which test files run, and in which order.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "./job.ts";
import { expectedMs } from "./times.ts";

/** Only when a word names them: they need programs that must be installed or built first, and are slow. */
const ON_REQUEST = ["test/recipes/", "test/packages/"];

const testFiles = (root: string, words: readonly string[]): readonly string[] =>
  readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.ts"))
    .map((path) => `test/${path}`)
    .filter((file) => isWanted(file, words))
    .sort();

const isWanted = (file: string, words: readonly string[]): boolean => {
  const folder = ON_REQUEST.find((name) => file.startsWith(name));
  return folder === undefined || words.some((word) => `${word}/`.includes(folder.split("/")[1] ?? ""));
};

/** The jobs for these words (all files without any), longest first, so that no long one is left at the end. */
export const jobsFor = (root: string, words: readonly string[]): readonly Job[] =>
  testFiles(root, words)
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .map((file) => ({ file }))
    .sort((a, b) => expectedMs(b) - expectedMs(a));
