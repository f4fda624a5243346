// The plain documents that are read without the library: the result is the library's, whatever the text.
import { expect, test } from "bun:test";
import { array, assert, boolean, constantFrom, dictionary, nat, oneof, property, string } from "fast-check";
import { parseDocument } from "yaml";
import { readPlainDocument, yamlDocument } from "../../src/control/dialects/einhorn-yaml.ts";

const words = oneof(
  string(),
  string({ unit: "binary" }),
  constantFrom(
    "yes",
    "Null",
    "on",
    "~",
    "a: b",
    "a #b",
    "- a",
    "[]",
    "{}",
    "1e3",
    "0x1f",
    "2001-12-14",
    "a\nb",
    "",
    " ",
    "%0A",
  ),
);
const values = oneof(words, nat(), boolean(), array(words, { minLength: 1, maxLength: 4 }));
const keys = constantFrom("command", "args", "id", "message", "request_id", "wait", "on", "n");

const byLibrary = (text: string): unknown => {
  const document = parseDocument(text, { schema: "core", customTags: [], uniqueKeys: true, logLevel: "silent" });
  return document.errors.length > 0 ? "an error" : document.toJS();
};

test("a document of strings, numbers, booleans and lists of strings is read without the library, with the same result", () => {
  const documents = dictionary(constantFrom("command", "args", "id", "message"), values, { minKeys: 1 });
  assert(
    property(documents, (document) => {
      const text = yamlDocument(document);
      expect(readPlainDocument(text)).toEqual(document);
      expect(byLibrary(text)).toEqual(document);
    }),
    { numRuns: 2000 },
  );
});

test("no text is read differently from the library", () => {
  const lines = oneof(
    words,
    constantFrom(
      "---",
      "...",
      "args:",
      "args: []",
      "- x",
      "- 1",
      '- "x"',
      "  - x",
      "a:b",
      "id: 08",
      "id: -1",
      "k: 'x'",
      'k: "\\x41"',
      "k: &a x",
      "k: *a",
      "k: !x y",
      "k: |",
      "k: x: y",
      "k:  x",
      "k: x ",
      "\tk: x",
      "? k",
      "k : x",
    ),
  );
  const written = oneof(
    dictionary(keys, values).map((document) => yamlDocument(document)),
    array(lines, { maxLength: 5 }).map((some) => some.join("\n")),
  );
  assert(
    property(written, lines, nat({ max: 40 }), (text, extra, at) => {
      const changed = text.slice(0, at) + extra + text.slice(at);
      for (const one of [text, changed, `${text}${extra}\n`, text.slice(0, at)]) {
        const plain = readPlainDocument(one);
        if (plain !== undefined) expect(byLibrary(one)).toEqual(plain);
      }
    }),
    { numRuns: 5000 },
  );
});
