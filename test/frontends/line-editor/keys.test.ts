// Keys from a terminal's input.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Key, keysAfterPause, keysIn, NOTHING, type Pending } from "../../../src/frontends/line-editor/keys.ts";

/** The keys in these pieces of input, as words. */
const keysOf = (...pieces: readonly string[]): readonly string[] => {
  let pending: Pending = NOTHING;
  const all: Key[] = [];
  for (const piece of pieces) {
    const taken = keysIn(pending, piece);
    pending = taken.pending;
    all.push(...taken.keys);
  }
  return joined(all);
};

/** Joins adjacent texts, because it does not matter how they were split. */
const joined = (keys: readonly Key[]): readonly string[] => {
  const words: string[] = [];
  let last = "";
  for (const key of keys) {
    if (key.kind === last && "text" in key) words.push(`${words.pop()}${key.text}`);
    else if ("text" in key) words.push(`${key.kind}:${key.text}`);
    else words.push(key.kind === "command" ? key.command : key.kind);
    last = key.kind;
  }
  return words;
};

test("emacs keys and cursor keys are recognized in all their encodings", () => {
  expect(keysOf("\x01\x05\x02\x06\x04\b\x7f\v\x15\x17\x19\x14\f\x10\x0e\x12\x13\x07\t\r\n\x03\x1a\x1c")).toEqual([
    ...["start", "end", "left", "right", "deleteRightOrEnd", "deleteLeft", "deleteLeft", "cutToEnd", "cutToStart"],
    ...["cutBlankWordLeft", "putBack", "transpose", "clearScreen", "previous", "next", "searchBack", "searchForward"],
    ...["abort", "complete", "accept", "accept", "interrupt", "suspend", "quit"],
  ]);
  expect(
    keysOf("\x1b[A\x1bOA\x1b[H\x1bOH\x1b[1~\x1b[7~\x1b[F\x1b[4~\x1b[3~\x1bb\x1bf\x1bd\x1b\x7f\x1b[1;5C\x1b[1;3D"),
  ).toEqual([
    ...["previous", "previous", "start", "start", "start", "start", "end", "end", "deleteRight"],
    ...["wordLeft", "wordRight", "cutWordRight", "cutWordLeft", "wordRight", "wordLeft"],
  ]);
});

test("an unknown sequence is one key, and none of its letters is typed", () => {
  expect(keysOf("a\x1b[15~b\x1b[[Ac\x1bOPd\x1b[<0;12;7Me\x1bzf")).toEqual([
    ...[
      "text:a",
      "unknown",
      "text:b",
      "unknown",
      "text:c",
      "unknown",
      "text:d",
      "unknown",
      "text:e",
      "unknown",
      "text:f",
    ],
  ]);
  expect(keysOf(`\x1b[${"1;".repeat(40)}Ax`).at(-1)).toMatch(/x$/);
  expect(keysOf("\x1b[12\rx")).toEqual(["unknown", "accept", "text:x"]);
});

test("a single Escape is a key after a pause, and before another Escape", () => {
  const { keys, pending } = keysIn(NOTHING, "a\x1b");
  expect(joined(keys)).toEqual(["text:a"]);
  expect(joined(keysAfterPause(pending).keys)).toEqual(["escape"]);
  expect(keysAfterPause(pending).pending).toEqual(NOTHING);
  expect(keysOf("\x1b\x1b[A")).toEqual(["escape", "previous"]);
  expect(keysAfterPause(NOTHING).keys).toEqual([]);
});

test("pasted text keeps its newlines, except at its end", () => {
  expect(keysOf("a\x1b[200~one\r\ntwo\rthree\x03\t\n\n\x1b[201~b\r")).toEqual([
    "text:a",
    "pasted:one\ntwo\nthree\x03\t",
    "text:b",
    "accept",
  ]);
  expect(keysOf("\x1b[200~\x1b[201~")).toEqual([]);
  expect(keysOf(`\x1b[200~${"\n".repeat(10_000)}x\x1b[201~`)).toEqual([`pasted:${"\n".repeat(10_000)}x`]);
});

test("the result does not depend on how the input is split", () => {
  const parts = [
    "a",
    "ä€😀",
    "\x1b[A",
    "\x1b[1;5C",
    "\x1bOH",
    "\x1bb",
    "\x01",
    "\r",
    "\x1b[200~x\r\ny\n\x1b[201~",
    "\x1b[[B",
  ];
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...parts), { maxLength: 12 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 5 })),
      (all, sizes) => {
        const input = `${all.join("")}.`;
        const pieces: string[] = [];
        for (let at = 0; at < input.length; ) {
          const size = sizes.next().value ?? 1;
          pieces.push(input.slice(at, at + size));
          at += size;
        }
        expect(keysOf(...pieces)).toEqual(keysOf(input));
      },
    ),
  );
});

test("any input leaves only little buffered", () => {
  const unit = fc.constantFrom("\x1b", "[", "O", "2", "0", "1", "~", ";", "a", "\r", "\n", "\x7f");
  fc.assert(
    fc.property(fc.array(fc.string({ unit, maxLength: 80 }), { maxLength: 10 }), (pieces) => {
      let pending: Pending = NOTHING;
      for (const piece of pieces) pending = keysIn(pending, piece).pending;
      expect(pending.rest.length).toBeLessThan(pending.isPasting ? 5000 : 33);
    }),
  );
});
