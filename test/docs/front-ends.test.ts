// docs/reference/front-ends.md names the tests that prove its statements: each name must be that of an existing test.
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const page = readFileSync(join(ROOT, "docs/reference/front-ends.md"), "utf8");

/** The folder of test/e2e that holds a section's tests. A reference `start: words` is a test of its file start.test.ts. */
const FOLDERS: Readonly<Record<string, string>> = {
  socketmaster: "socketmaster",
  "einhyrningsins, einhyrningsinsctl": "einhyrningsins",
  "einhorn, einhornsh": "einhorn",
};

/** The full names of a file's tests, those of the enclosing groups first, as the source has them. */
const namesIn = (source: string): string[] => {
  const names: string[] = [];
  const around: { readonly indent: number; readonly name: string }[] = [];
  for (const match of source.matchAll(/^( *)(describe|test|scene|\])[^"'`\n]*\(\s*(["'`])((?:\\.|(?!\3).)*)\3/gm)) {
    const [, indent = "", word, , name = ""] = match;
    while ((around.at(-1)?.indent ?? -1) >= indent.length) around.pop();
    if (word === "describe") around.push({ indent: indent.length, name });
    else names.push([...around.map((outer) => outer.name), name].join(" "));
  }
  return names;
};

/** Whether a reference matches a test of a file: `…` stands for omitted words, or comes from a table of cases. */
const isIn = (source: string, reference: string): boolean => {
  const names = namesIn(source);
  const parts = reference.split("…").map((part) => part.trim().replace(/^,\s*/, ""));
  return parts.every((part) => names.some((name) => name.includes(part)) || source.includes(part));
};

/** The sources of a folder's tests, by file name without `.test.ts`. */
const sourcesIn = (folder: string): ReadonlyMap<string, string> => {
  const directory = join(ROOT, "test/e2e", folder);
  return new Map(
    readdirSync(directory).map((name) => [name.replace(".test.ts", ""), readFileSync(join(directory, name), "utf8")]),
  );
};

type Reference = { readonly part: string; readonly words: string; readonly path: string | undefined };

/** `part: words; more words; `path`` */
const referencesIn = (cell: string): Reference[] => {
  let part = "";
  return cell.split(";").map((text) => {
    const [, named, words = ""] = /^(?:(\w+): )?(.*)$/.exec(text.trim()) ?? [];
    part = named ?? part;
    return { part, words, path: /^`([^`]+)`$/.exec(words)?.[1] };
  });
};

const sections = page.split(/^## /m).slice(1);

test("every section of front-ends.md has a known folder of tests", () => {
  expect(sections.map((section) => section.slice(0, section.indexOf("\n")))).toEqual(Object.keys(FOLDERS));
});

describe.each(sections.map((section) => [section.slice(0, section.indexOf("\n")), section] as const))(
  "the page on %s",
  (title, section) => {
    const sources = sourcesIn(FOLDERS[title] ?? "");
    const rows = [...section.matchAll(/^\| .* \|$/gm)].map(([row]) => row.replaceAll("\\|", "\0")).slice(1);
    const references = rows.flatMap((row) => referencesIn(row.split("|").at(-2) ?? ""));

    test("names at least one test in every row", () => {
      expect(rows.length).toBeGreaterThan(10);
      expect(rows.filter((row) => (row.split("|").at(-2) ?? "").trim() === "")).toEqual([]);
    });

    test("names tests that exist", () => {
      const missing = references.filter((reference) => {
        if (reference.path !== undefined) return !existsSync(join(ROOT, reference.path));
        const { part, words } = reference;
        const where = part === "" ? [...sources.values()] : [sources.get(part) ?? ""];
        return !where.some((source) => isIn(source, words));
      });
      expect(missing).toEqual([]);
    });

    test("names a test of every file in its folder", () => {
      const unnamed = [...sources].filter(
        ([name, source]) =>
          !references.some(({ part, words }) => (part === "" || part === name) && isIn(source, words)),
      );
      expect(unnamed.map(([name]) => name)).toEqual([]);
    });
  },
);
