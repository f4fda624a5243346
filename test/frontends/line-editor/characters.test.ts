// Characters as a terminal shows them.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { cellsOf, nextBoundary, previousBoundary } from "../../../src/frontends/line-editor/characters.ts";

const widths = (text: string): readonly number[] => cellsOf(text).map(({ width }) => width);

test("wide characters, emoji and flags take two columns, combining marks none", () => {
  expect(widths("aé")).toEqual([1, 1]);
  expect(widths("e\u0301\u0323x")).toEqual([1, 1]);
  expect(widths("日本ｶ한")).toEqual([2, 2, 1, 2]);
  expect(widths("\u1112\u1161\u11ab")).toEqual([2]);
  expect(widths("👨‍👩‍👧🇩🇪❤\ufe0f👍🏽")).toEqual([2, 2, 2, 2]);
  expect(widths("\u0301")).toEqual([0]);
});

test("control characters are shown and not sent", () => {
  expect(
    cellsOf("a\u001b[2J\t\u202e\u009b\n")
      .map(({ text }) => text)
      .join(""),
  ).toBe("a^[[2J^I\\u202e\\u009b^J");
});

const TEXT = fc.string({ unit: "grapheme", maxLength: 30 });

test("text is segmented like the runtime's segmenter", () => {
  const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
  fc.assert(
    fc.property(TEXT, (text) => {
      const ours = cellsOf(text).map(({ length }) => length);
      expect(ours).toEqual(Array.from(segmenter.segment(text), ({ segment }) => segment.length));
    }),
  );
});

test("boundaries are the same forwards and backwards", () => {
  fc.assert(
    fc.property(TEXT, (text) => {
      const forwards = [0];
      for (let at = 0; at < text.length; forwards.push(at)) at = nextBoundary(text, at);
      const backwards = [text.length];
      for (let at = text.length; at > 0; backwards.push(at)) at = previousBoundary(text, at);
      expect(backwards.reverse()).toEqual(forwards);
    }),
  );
  expect(previousBoundary("", 0)).toBe(0);
  expect(nextBoundary("", 0)).toBe(0);
});
