// docs/reference/front-ends.md names the tests that show what it says: each name is one of a test that is there.
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const page = readFileSync(join(ROOT, "docs/reference/front-ends.md"), "utf8");

/** What the names of a section's tests begin with, and the file that these stand in; where nothing stands before a name, it is any of them. */
const FILES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  socketmaster: { options: "socketmaster", start: "socketmaster-start", replacing: "socketmaster-replacing" },
  "einhyrningsins, einhyrningsinsctl": {
    start: "einhyrningsins-start",
    protocol: "einhyrningsins-protocol",
    life: "einhyrningsins-life",
    ctl: "einhyrningsinsctl",
  },
  "einhorn, einhornsh": Object.fromEntries(
    ["start", "workers", "upgrade", "reexec", "trouble", "load", "protocol"].map((part) => [part, `einhorn-${part}`]),
  ),
};

/** The whole names of a file's tests, those around them in front, as the source has them. */
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

/** Whether a reference means something in a file: `…` stands for whatever is left out, or comes from a table of cases. */
const isIn = (source: string, reference: string): boolean => {
  const names = namesIn(source);
  const parts = reference.split("…").map((part) => part.trim().replace(/^,\s*/, ""));
  return parts.every((part) => names.some((name) => name.includes(part)) || source.includes(part));
};

const sourceOf = (file: string): string => {
  const path = join(ROOT, `test/e2e/${file}.test.ts`);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
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

test("every section of the page is known here", () => {
  expect(sections.map((section) => section.slice(0, section.indexOf("\n")))).toEqual(Object.keys(FILES));
});

describe.each(sections.map((section) => [section.slice(0, section.indexOf("\n")), section] as const))(
  "the page on %s",
  (title, section) => {
    const files = FILES[title] ?? {};
    const rows = [...section.matchAll(/^\| .* \|$/gm)].map(([row]) => row.replaceAll("\\|", "\0")).slice(1);
    const references = rows.flatMap((row) => referencesIn(row.split("|").at(-2) ?? ""));

    test("names at least one test in every row", () => {
      expect(rows.length).toBeGreaterThan(10);
      expect(rows.filter((row) => (row.split("|").at(-2) ?? "").trim() === "")).toEqual([]);
    });

    test("names tests that are there", () => {
      const missing = references.filter((reference) => {
        if (reference.path !== undefined) return !existsSync(join(ROOT, reference.path));
        const { part, words } = reference;
        const where = part === "" ? Object.values(files) : [files[part] ?? "nowhere"];
        return !where.some((file) => isIn(sourceOf(file), words));
      });
      expect(missing).toEqual([]);
    });

    test("leaves none of its tests' files out", () => {
      const program = title.split(",")[0] ?? "";
      const there = readdirSync(join(ROOT, "test/e2e")).filter((name) => name.startsWith(program));
      expect(there.sort()).toEqual(
        Object.values(files)
          .map((file) => `${file}.test.ts`)
          .sort(),
      );
    });
  },
);
