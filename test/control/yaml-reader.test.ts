// The YAML reader: it reads all styles like the yaml library, and no text takes it long.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseDocument, stringify } from "yaml";
import { parseEinhornLine } from "../../src/control/dialects/einhorn.ts";
import { readYaml } from "../../src/control/dialects/yaml-reader.ts";

const byLibrary = (text: string): unknown => {
  const document = parseDocument(text, { schema: "core", customTags: [], uniqueKeys: true, logLevel: "silent" });
  return document.errors.length > 0 || document.warnings.length > 0
    ? "an error"
    : document.toJS({ maxAliasCount: 100 });
};

const words = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom(
    "a b c",
    "null",
    "~",
    "yes",
    "1e3",
    "0x1f",
    "08",
    "a: b",
    "a #b",
    "- a",
    "[]",
    "a\nb\n\nc",
    "x\n  y\n",
    " x ",
    "'",
    '"',
    "worker:ack",
    "USR2",
    ":state",
    'it\'s "so"',
  ),
  fc.constantFrom("long ".repeat(30).trim(), `${"long ".repeat(30)}\n\nand more`),
);
const scalars = fc.oneof(
  words,
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const keys = fc.oneof(
  fc.constantFrom("command", "args", "id", "pid", ":message", "request_id", "a b"),
  fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 6 }),
);
const values = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalars,
    fc.array(tie("node"), { maxLength: 4 }),
    fc.dictionary(keys, tie("node"), { maxKeys: 4 }),
  ),
})).node;
const documents = fc.dictionary(keys, values, { maxKeys: 5 });

describe("a document", () => {
  test.each([
    ["as Ruby writes it", "---\ncommand: worker:ack\npid: 123\nargs:\n- USR2\n- 'a: b'\nuser: ! bad"],
    ["", "--- \ncommand: signal\nargs: [HUP, 'x', \"y\\n\"]\n"],
    ["", "{command: ehlo, user: joe, args: []}"],
    ["", "message: |\n  one\n   two\n\n  three\nrequest_id: 4\n"],
    ["", "message: >-\n  one\n  two\n\n  three\n"],
    ["", "a: &x text\nb: *x\n"],
    ["", "a: one\n  two\n\n  three # and that\nb: 1"],
    ["", 'a: "one\n  two\\\n  three"'],
    ["", "- a: 1\n  b: 2\n- - x\n  - y\n-\n  c"],
    ["", "# nothing\n\na:\n  b:\n    c: ~\n...\n"],
    ["", "a:\n  - (\u2000\n"],
  ])("%s is read like the library: %j", (_, text) => {
    const read = readYaml(text);
    if (text.includes("! bad")) expect(read).toBeUndefined();
    else expect([byLibrary(text)]).toEqual([read]);
    if (!text.includes("! bad")) expect(read).toBeDefined();
  });

  test("followed by another one is not read", () => {
    expect(readYaml('a:\n---  - " ": null\n')).toBeUndefined();
    expect(readYaml("a: 1\n... b: 2\n")).toBeUndefined();
  });

  test("whose quote ends left of its parent is not read", () => {
    expect(readYaml('a:\n  b:\n    - - "08\n  "\n')).toBeUndefined();
    expect(readYaml('a: "08\n "\n')).toEqual({ a: "08 " });
  });

  test("of any values in any style is read correctly", () => {
    let unread = 0;
    fc.assert(
      fc.property(
        documents,
        fc.constantFrom<"PLAIN" | "QUOTE_DOUBLE" | "QUOTE_SINGLE" | "BLOCK_LITERAL" | "BLOCK_FOLDED">(
          "PLAIN",
          "QUOTE_DOUBLE",
          "QUOTE_SINGLE",
          "BLOCK_LITERAL",
          "BLOCK_FOLDED",
        ),
        fc.constantFrom<"any" | "block" | "flow">("any", "block", "flow"),
        (document, defaultStringType, collectionStyle) => {
          const text = stringify(document, {
            defaultStringType,
            defaultKeyType: "PLAIN",
            collectionStyle,
            aliasDuplicateObjects: false,
          });
          const read = readYaml(text);
          if (read === undefined) unread += 1;
          else expect([byLibrary(text)]).toEqual([read]);
        },
      ),
      { numRuns: 600 },
    );
    // Only rare forms of keys are refused.
    expect(unread).toBeLessThan(240);
  });

  test("with an anchor that may be a key is not read", () => {
    for (const text of ["a:\n  &b: c\n", 'a:\n  &"b": c\n', '&a"b: c']) expect(readYaml(text)).toBeUndefined();
  });

  test("with a change anywhere is read like the library or not at all", () => {
    const pieces = fc.oneof(
      words,
      fc.constantFrom(
        "---",
        "...",
        "\n",
        "\n  ",
        ": ",
        "- ",
        "? ",
        "&a ",
        "*a",
        "!x ",
        "|",
        ">",
        "[",
        "]",
        "{",
        "}",
        ",",
        "#",
        " #",
        '"',
        "'",
        "\t",
        "%",
        "@",
        "<<: ",
      ),
    );
    fc.assert(
      fc.property(
        documents,
        fc.constantFrom<"any" | "flow">("any", "flow"),
        pieces,
        fc.nat({ max: 60 }),
        (document, collectionStyle, piece, at) => {
          const text = stringify(document, { collectionStyle });
          const changed = text.slice(0, at) + piece + text.slice(at);
          const read = readYaml(changed);
          if (read !== undefined) expect([changed, byLibrary(changed)]).toEqual([changed, read]);
        },
      ),
      { numRuns: 1500 },
    );
  });
});

describe("a request", () => {
  test("with a longer id than any client's loses it, because ids are stored and sent back", async () => {
    const long = "x".repeat(1024 * 1024);
    const ping = await parseEinhornLine(JSON.stringify({ command: "worker:ping", pid: 7, request_id: long, id: long }));
    expect(ping).toMatchObject({ command: "worker:ping", pid: 7, requestId: null, id: undefined });
    const short = await parseEinhornLine(JSON.stringify({ command: "worker:ping", pid: 7, request_id: "a", id: 4 }));
    expect(short).toMatchObject({ requestId: "a", id: 4 });
  });

  test("that nests deeper than einhorn's is refused", async () => {
    expect(await parseEinhornLine(`{"command":${"[".repeat(100_000)}${"]".repeat(100_000)}}`)).toBeNull();
  });
});

describe("a line of 64 KiB", () => {
  const BYTES = 64 * 1024;
  const filled = (piece: string, before = "", behind = ""): string =>
    before + piece.repeat(Math.floor((BYTES - before.length - behind.length) / piece.length)) + behind;
  const numbered = (of: (index: number) => string, between: string): string =>
    Array.from({ length: 5000 }, (_, index) => of(index))
      .join(between)
      .slice(0, BYTES);
  test.each<[string, string]>([
    ...[
      "# ",
      "[",
      "{",
      "- ",
      "a: ",
      ":",
      "? ",
      "\t",
      "!a ",
      "&a ",
      "*a ",
      "\\",
      '"',
      "'",
      "''",
      "[],",
      "a,",
      "%25",
      "%0A",
      "%0A---%0Aa: 1",
      "<<: {a: 1}%0A",
      "a:%0A a:%0A",
      "|%0A",
      "> ",
      "x ",
      "x%0A  ",
      "a: 1\r",
      "\0",
      "\u00e9 ",
      " ",
      "{a: ",
      "[a: ",
      "? [",
      "- - [",
      '{"a":',
      "&a *a ",
      "-%0A",
    ].map((piece): [string, string] => [`of ${JSON.stringify(piece)}`, filled(piece)]),
    ["of escapes in quotes", filled("\\x", '"', '"')],
    ["of backslashes in quotes", filled("\\\\", '"', '"')],
    ["of escaped quotes", filled('\\"', '"', '"')],
    ["of quotes in quotes", filled("''", "'", "'")],
    ["of newlines in quotes", filled("\\%0A", 'a: "', '"')],
    ["of a list in flow style", filled("a, ", "[", "b]")],
    ["of a long plain scalar", filled("x%0A ", "a: ")],
    ["of spaces in a key", filled(" ", "a", ": b")],
    ["of colons in a key", filled(":a", "a", ": b")],
    ["of hashes in a key", filled("a#", "a", ": b")],
    ["of keys", numbered((index) => `k${index}: 1`, "%0A")],
    ["of keys in flow style", `{${numbered((index) => `k${index}: 1`, ",")}}`],
    ["of anchors", `[${numbered((index) => `&a${index} x`, ",")}]`],
    ["of aliases", filled("*a, ", "{a: &a 1, b: [", "1]}")],
    ["of an alias bomb", `{${numbered((index) => `k${index}: &a${index} [*a${index - 1}, *a${index - 1}]`, ",")}}`],
    ["of deeper and deeper lists", Array.from({ length: 350 }, (_, index) => `${" ".repeat(index)}-`).join("%0A")],
    ["of a literal", filled(" x%0A", "a: |%0A")],
    ["of folded empty lines", filled(" x%0A%0A", "a: >%0A")],
  ])("%s is read or refused at once", async (_, line) => {
    const begun = performance.now();
    await parseEinhornLine(line);
    expect(performance.now() - begun).toBeLessThan(500);
  });
});
