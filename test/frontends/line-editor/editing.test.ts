// The effects of keys on the line, the history and the search.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EINHYRNINGSINSCTL_SHELL } from "../../../src/frontends/einhyrningsinsctl/shell.ts";
import { cellsOf } from "../../../src/frontends/line-editor/characters.ts";
import { listed } from "../../../src/frontends/line-editor/completion.ts";
import { beginLine, type Editing, type Effect, press, shownOf } from "../../../src/frontends/line-editor/editing.ts";
import { MOST_ENTRIES, MOST_HISTORY, remember } from "../../../src/frontends/line-editor/history.ts";
import { keysIn, NOTHING } from "../../../src/frontends/line-editor/keys.ts";
import { MOST_LINE } from "../../../src/frontends/line-editor/line.ts";
import { completerOf } from "../../../src/frontends/line-shell.ts";

const complete = completerOf(EINHYRNINGSINSCTL_SHELL);

/** The state after keys in a new line, and the effect of the last key. */
const typed = (input: string, history: readonly string[] = []): Editing & { readonly effect: Effect } => {
  let editing = beginLine(history, "");
  let effect: Effect = { kind: "none" };
  for (const key of keysIn(NOTHING, input).keys) {
    const step = press(editing, key, { history, complete });
    editing = step.editing;
    effect = step.effect;
  }
  return { ...editing, effect };
};

/** The line with the cursor as a bar. */
const line = (input: string, history: readonly string[] = []): string => {
  const { text, cursor } = shownOf(typed(input, history), "").line;
  return `${text.slice(0, cursor)}|${text.slice(cursor)}`;
};

test("the cursor moves by characters and by words, and to both ends", () => {
  expect(line("one two\x01")).toBe("|one two");
  expect(line("one two\x01\x05")).toBe("one two|");
  expect(line("one, two\x1bb\x1bb")).toBe("|one, two");
  expect(line("one, two\x01\x1bf\x1bf")).toBe("one, two|");
  expect(line("a日e\u0301👨‍👩‍👧\x02\x02")).toBe("a日|e\u0301👨‍👩‍👧");
  expect(line("a日\x01\x06\x06")).toBe("a日|");
});

test("text is deleted by characters, and cut by words and to both ends", () => {
  expect(line("abc\x7f\x01\x04")).toBe("|b");
  expect(line("xe\u0301👨‍👩‍👧\b\b")).toBe("x|");
  expect(line("abc\x01\x06\x1b[3~")).toBe("a|c");
  expect(line("one two-three\x17")).toBe("one |");
  expect(line("one two-three\x1b\x7f")).toBe("one two-|");
  expect(line("one two\x01\x1bd")).toBe("| two");
  expect(line("one two\x1bb\x0b")).toBe("one |");
  expect(line("one two\x1bb\x15")).toBe("|two");
});

test("cut text can be yanked, in one piece if it was cut in one go", () => {
  expect(line("one two\x17\x17\x19")).toBe("one two|");
  expect(line("one two\x01\x1bd\x1bd\x19\x19")).toBe("one twoone two|");
  expect(line("ab\x15cd\x15\x19")).toBe("cd|");
});

test("the last two characters are transposed, whatever their code points", () => {
  expect(line("ab\x14")).toBe("ba|");
  expect(line("abc\x01\x06\x14")).toBe("ba|c");
  expect(line("a日\x14")).toBe("日a|");
  expect(line("a\x14")).toBe("a|");
});

describe("the history", () => {
  const history = ["inc", "status", "inc"];

  test("can be browsed in both directions, and the new line is kept", () => {
    expect(line("new\x10", history)).toBe("inc|");
    expect(line("new\x10\x10", history)).toBe("status|");
    expect(line("new\x1b[A\x1b[A\x1b[A\x1b[A\x1b[B\x1b[B\x1b[B\x1b[B", history)).toBe("new|");
    expect(line("new\x1b<", history)).toBe("inc|");
    expect(line("new\x1b<\x1b>", history)).toBe("new|");
  });

  test("is bounded in lines and in size, and stores no line twice in a row", () => {
    expect(remember(["a"], "a")).toEqual(["a"]);
    expect(remember(["a"], "")).toEqual(["a"]);
    const many = Array.from({ length: MOST_ENTRIES }, (_, index) => `line ${index}`);
    expect(remember(many, "new")).toEqual([...many.slice(1), "new"]);
    const large = "x".repeat(MOST_HISTORY - 1);
    expect(remember(["a", "b"], large)).toEqual(["b", large]);
    expect(remember(["a"], `${large}xx`)).toEqual([]);
  });
});

describe("the search", () => {
  const history = ["signal HUP", "status", "signal TERM", "help"];

  test("finds the newest line with the text, and an older one with each C-r", () => {
    expect(line("\x12sig", history)).toBe("|signal TERM");
    expect(line("\x12sig\x12", history)).toBe("|signal HUP");
    expect(line("\x12sig\x12\x13", history)).toBe("|signal TERM");
    expect(shownOf(typed("\x12sig\x12", history), "> ").prompt).toBe("(reverse-i-search)`sig': ");
    expect(shownOf(typed("\x12nowhere", history), "> ").prompt).toBe("(failed reverse-i-search)`nowhere': ");
    expect(line("\x12sigX\x7f\x7f\x7f\x7fT", history)).toBe("signal |TERM");
  });

  test("ends with its result at any other key, and with the old line at C-g", () => {
    expect(line("\x12sta\x05!", history)).toBe("status!|");
    expect(typed("\x12sta\r", history).effect).toEqual({ kind: "accept", text: "status" });
    expect(line("old\x12sta\x07", history)).toBe("old|");
    expect(typed("old\x12sta\x07", history).search).toBeNull();
    expect(line("old\x12sta\x05\x0e\x0e\x0e", history)).toBe("old|");
  });
});

describe("completion", () => {
  test("adds the common prefix, and a space after the only candidate", () => {
    expect(line("upg\t")).toBe("upgrade |");
    expect(line("st\t")).toBe("status |");
    expect(line("signal us\t")).toBe("signal USR|");
    expect(line("signal ter\t")).toBe("signal TERM |");
  });

  test("rings the bell first and lists several candidates the second time", () => {
    expect(typed("s\t").effect).toEqual({ kind: "bell" });
    expect(typed("s\t\t").effect).toEqual({ kind: "list", candidates: ["shutdown", "signal", "status"] });
    expect(typed("s\tx\x7f\t").effect).toEqual({ kind: "bell" });
    expect(typed("x\t\t").effect).toEqual({ kind: "bell" });
  });

  test("lists candidates in as many columns as fit, column by column", () => {
    expect(listed(["a", "b", "c", "d", "e"], 9)).toEqual(["a  c  e", "b  d"]);
    expect(listed(["long-word", "b"], 5)).toEqual(["long-word", "b"]);
  });
});

test("C-d on an empty line and C-c leave the shell", () => {
  expect(typed("\x04").effect).toEqual({ kind: "leave" });
  expect(typed("a\x04").effect).toEqual({ kind: "bell" });
  expect(typed("a\x03").effect).toEqual({ kind: "leave" });
  expect(typed("\x12a\x03").effect).toEqual({ kind: "leave" });
});

test("pasted text is inserted literally and runs nothing", () => {
  const { line: pasted, effect } = typed("\x1b[200~inc\nupgrade\t\x03\n\x1b[201~");
  expect(pasted.text).toBe("inc\nupgrade\t\x03");
  expect(effect).toEqual({ kind: "none" });
  expect(
    cellsOf(pasted.text)
      .map(({ text }) => text)
      .join(""),
  ).toBe("inc^Jupgrade^I^C");
});

test("a full line accepts no more characters", () => {
  const full = "x".repeat(MOST_LINE);
  expect(typed(`${full}\x01`).line).toEqual({ text: full, cursor: 0 });
  expect(typed(`${full}\x01y`).line).toEqual({ text: full, cursor: 0 });
});

test("after any keys the cursor is within the line, and the line is shown correctly", () => {
  const keys = [..."\x01\x02\x04\x05\x06\x07\b\t\v\f\x0e\x10\x12\x13\x14\x15\x17\x19\x7f"];
  const sequences = [
    "\x1bb",
    "\x1bf",
    "\x1bd",
    "\x1b\x7f",
    "\x1b<",
    "\x1b>",
    "\x1b[3~",
    "\x1b[A",
    "\x1b[B",
    "\x1b[200~a\nb\x1b[201~",
  ];
  const input = fc.array(
    fc.oneof(fc.constantFrom(...keys, ...sequences), fc.string({ unit: "grapheme", maxLength: 4 })),
  );
  fc.assert(
    fc.property(input, fc.array(fc.string({ unit: "grapheme", maxLength: 8 }), { maxLength: 4 }), (parts, history) => {
      const editing = typed(parts.join(""), history);
      for (const { text, cursor } of [editing.line, shownOf(editing, "").line]) {
        expect(cursor).toBeGreaterThanOrEqual(0);
        expect(cursor).toBeLessThanOrEqual(text.length);
      }
      expect(editing.entry).toBeLessThanOrEqual(history.length);
    }),
    { numRuns: 500 },
  );
});
