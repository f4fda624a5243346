// The test runner's own report: that it says first what a reader of a cut-off log needs.
import { expect, test } from "bun:test";
import { failuresFirst, failuresIn, skippedIn } from "../runner/output.ts";

const OUTPUT = `bun test v1.4.4

test/some.test.ts:
(pass) a group > does this [0.06ms]
error: expect(received).toBe(expected)
      at <anonymous> (test/some.test.ts:3:48)
(fail) a group > does that [0.26ms]
(pass) a group > does a third thing [1.03ms]
(fail) another test [105.80ms]
  ^ this test timed out after 100ms.
(skip) a fourth

 2 pass
 2 fail

2 tests failed:
(fail) another test [105.80ms]`;

test("the tests that failed are named before anything else, each once", () => {
  expect(failuresIn(OUTPUT)).toEqual(["a group > does that", "another test"]);
  expect(failuresFirst(OUTPUT).split("\n").slice(0, 3)).toEqual([
    "failed: a group > does that",
    "failed: another test",
    "bun test v1.4.4",
  ]);
});

test("why they failed is kept, and those that passed are left out", () => {
  const lines = failuresFirst(OUTPUT).split("\n");
  expect(lines.filter((line) => /^\((pass|skip)\)/.test(line))).toEqual([]);
  expect(lines).toContain("error: expect(received).toBe(expected)");
  expect(lines).toContain("  ^ this test timed out after 100ms.");
});

test("the tests that were left out are named, with what their names say is missing", () => {
  expect(skippedIn(OUTPUT)).toEqual(["a fourth"]);
  expect(skippedIn("(skip) puma (missing: apt-get install puma): 20 deploys [0.02ms]\n")).toEqual([
    "puma (missing: apt-get install puma): 20 deploys",
  ]);
});
