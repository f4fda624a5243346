// docs/explanation/security.md: each of its promises names an existing test file.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const page = readFileSync(join(ROOT, "docs/explanation/security.md"), "utf8");

/** Sections without promises: whom to trust, and what is not promised. */
const OTHER_SECTIONS = ["Trust", "What crank does not promise"];

const sections = page
  .split(/^## /m)
  .slice(1)
  .map((text) => ({ title: text.split("\n")[0] ?? "", text }))
  .filter(({ title }) => !OTHER_SECTIONS.includes(title));

/** List items, each with its continuation lines. */
const promisesIn = (text: string): readonly string[] =>
  [...text.matchAll(/^- .*\n(?: {2}.*\n)*/gm)].map(([item]) => item);

const testsIn = (promise: string): readonly string[] =>
  [...promise.matchAll(/\]\((?:\.\.\/)+(test\/[^)]+\.test\.ts)\)/g)].map(([, path = ""]) => path);

test("docs/explanation/security.md has sections with promises", () => {
  expect(sections.map(({ title }) => title)).toContain("Workers");
  for (const { title, text } of sections) expect([title, promisesIn(text).length > 0]).toEqual([title, true]);
});

describe.each(sections)("each promise of docs/explanation/security.md about $title", ({ text }) => {
  test("names its test", () => {
    expect(promisesIn(text).filter((promise) => testsIn(promise).length === 0)).toEqual([]);
  });

  test("names test files that exist and contain tests", () => {
    for (const path of promisesIn(text).flatMap(testsIn)) {
      const file = join(ROOT, path);
      expect([path, existsSync(file) && /\b(test|scene)\b/.test(readFileSync(file, "utf8"))]).toEqual([path, true]);
    }
  });
});
