// crank(1) against the program: every flag and every environment variable of the table is in the manual, and no other.
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { CRANK_FLAGS } from "../../src/commands/crank-flags.ts";
import type { FlagTable } from "../../src/commands/flags.ts";
import { VERSION } from "../../src/version.ts";

const PAGE = resolve(import.meta.dirname, "../../man/crank.1");
const page = readFileSync(PAGE, "utf8").replaceAll("\\-", "-");
const table: FlagTable = CRANK_FLAGS;

/** The entries of the section on flags: what stands after a .TP. */
const flagsSection = page.slice(page.indexOf(".SH FLAGS"), page.indexOf(".SH ADDRESSES"));
const described = [...flagsSection.matchAll(/^\.TP\n(.*)$/gm)]
  .flatMap((match) => [...(match[1] ?? "").matchAll(/(?:^| |")-([a-z-]+)/g)])
  .map((match) => match[1] ?? "");

test("every flag is in the manual, in the order of -help, and nothing else is", () => {
  expect(described.filter((name) => name !== "h" && name !== "help")).toEqual(Object.keys(table));
});

test("every environment variable that stands in for a flag is named beside it", () => {
  for (const [name, flag] of Object.entries(table)) {
    if (flag.environment === undefined) continue;
    const from = flagsSection.search(new RegExp(`^\\.\\w+ "?-${name}\\b`, "m"));
    const entry = flagsSection.slice(from, flagsSection.indexOf(".TP", from));
    expect(entry).toContain(flag.environment);
  }
});

test("the manual is of this version", () => {
  expect(page).toStartWith(`.TH CRANK 1 `);
  expect(page.split("\n")[0]).toContain(`"crank ${VERSION}"`);
});

test("the manual is formatted without a warning", () => {
  const { stderr, error } = spawnSync("man", ["-l", "--warnings=w", "-E", "UTF-8", "-Tutf8", PAGE], {
    encoding: "utf8",
    env: { ...process.env, MANPAGER: "cat", MANWIDTH: "80" },
  });
  if (error !== undefined && "code" in error && error.code === "ENOENT") return; // no man here: .ci/run installs it
  expect(stderr).toBe("");
});
