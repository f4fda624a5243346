// Untrusted text on its way to a terminal.
import { expect, test } from "bun:test";
import { escapeControls, escapeLine, quoted, safeJson, span, table } from "../../src/commands/terminal.ts";

test("control characters are escaped, and other characters are unchanged", () => {
  const acted = [
    ...Array(32).keys(),
    127,
    ...Array.from({ length: 32 }, (_, i) => 128 + i),
    0x61c,
    0x200e,
    0x200f,
    0x2028,
    0x202e,
    0x2066,
    0xfeff,
    0xd800,
    0xdfff,
  ];
  for (const code of acted)
    expect(escapeControls(String.fromCharCode(code))).toMatch(/^\\([nrt]|x[0-9a-f]{2}|u[0-9a-f]{4})$/);
  for (const text of ["grüße", "日本", "🚀", "a b", "\ufffd"]) expect(escapeControls(text)).toBe(text);
  expect(escapeLine("a\tb\u001b")).toBe("a\tb\\x1b");
  expect(quoted('a"b\\\n')).toBe('"a\\"b\\\\\\n"');
  expect(JSON.parse(safeJson({ a: "\u202e\u009b\n🚀" }))).toEqual({ a: "\u202e\u009b\n🚀" });
  expect(safeJson("\u202e\u009b")).toBe('"\\u202e\\u009b"');
});

test("spans are written in their two largest units", () => {
  const spans = [0, 400, 9940, 59_400, 61_000, 3_600_000, 90_000_000].map(span);
  expect(spans).toEqual(["0 s", "0.4 s", "9.9 s", "59 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"]);
});

test("tables align numbers to the right and end no line with spaces", () => {
  expect(
    table(
      [">N", "NAME"],
      [
        ["1", "a"],
        ["10", ""],
      ],
    ),
  ).toBe(" N  NAME\n 1  a\n10\n");
});
