// The documents: no link is broken, and the files, make targets and rooms that they name exist.
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const documents = [
  ...readdirSync(ROOT).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
  "examples/README.md",
  "contrib/systemd/README.md",
];

/** The anchor of a heading where the documents are displayed. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .trim()
    .replaceAll(" ", "-");

const anchorsOf = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(/^#+ (.*)$/gm)].map((match) => anchorOf(match[1] ?? "")));

const brokenLinks = (document: string): readonly string[] => {
  const text = readFileSync(join(ROOT, document), "utf8");
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] ?? "")
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? join(ROOT, document) : join(ROOT, dirname(document), path);
      if (!existsSync(file)) return true;
      return anchor !== undefined && !anchorsOf(readFileSync(file, "utf8")).has(anchor);
    });
};

/** The sections that a document's table of contents leaves out, in pages that have one. */
const unlisted = (document: string): readonly string[] => {
  const [head = "", ...sections] = readFileSync(join(ROOT, document), "utf8").split(/^## /m);
  const listed = new Set([...head.matchAll(/^- \[[^\]]*\]\(#([^)]+)\)$/gm)].map((match) => match[1] ?? ""));
  if (listed.size === 0) return [];
  return sections.map((section) => anchorOf(section.split("\n")[0] ?? "")).filter((anchor) => !listed.has(anchor));
};

/** Paths in backquotes that begin with one of our folders; those with placeholders are left out. */
const missingFiles = (document: string): readonly string[] => {
  const text = readFileSync(join(ROOT, document), "utf8");
  return [...text.matchAll(/`((?:src|test|tools|keeper|docs|man|bench|examples)\/[\w./-]*)`/g)]
    .map((match) => match[1] ?? "")
    .filter((path) => !existsSync(join(ROOT, path)));
};

describe.each(documents)("%s", (document) => {
  test("has no broken link", () => expect(brokenLinks(document)).toEqual([]));
  test("lists every section in its table of contents, if it has one", () => expect(unlisted(document)).toEqual([]));
  test("names files that exist", () => expect(missingFiles(document)).toEqual([]));
});

test("every make target that the documents name exists", () => {
  const top = readFileSync(join(ROOT, "Makefile"), "utf8");
  const included = [...top.matchAll(/^include (.*)$/gm)].map((match) =>
    readFileSync(join(ROOT, match[1] ?? ""), "utf8"),
  );
  const makefile = [top, ...included].join("\n");
  const targets = new Set(
    [...makefile.matchAll(/^(?:\.PHONY: (.*)|([\w/.-]+):.*)$/gm)].flatMap((match) =>
      (match[1] ?? match[2] ?? "").split(" "),
    ),
  );
  const named = documents.flatMap((document) => {
    const text = readFileSync(join(ROOT, document), "utf8");
    return [...text.matchAll(/(?:^|`)make ([a-z/-]+)\b/gm)].map((match) => match[1] ?? "");
  });
  expect(named.filter((target) => !targets.has(target))).toEqual([]);
});
