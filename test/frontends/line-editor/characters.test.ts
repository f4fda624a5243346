// Characters as a terminal shows them.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { cellsOf, nextBoundary, previousBoundary } from "../../../src/frontends/line-editor/characters.ts";

const widths = (text: string): readonly number[] => cellsOf(text).map(({ width }) => width);

test("wide characters, pictures and flags take two columns, combining marks none of their own", () => {
  expect(widths("aé")).toEqual([1, 1]);
  expect(widths("e\u0301\u0323x")).toEqual([1, 1]);
  expect(widths("日本ｶ한")).toEqual([2, 2, 1, 2]);
  expect(widths("\u1112\u1161\u11ab")).toEqual([2]);
  expect(widths("👨‍👩‍👧🇩🇪❤\ufe0f👍🏽")).toEqual([2, 2, 2, 2]);
  expect(widths("\u0301")).toEqual([0]);
});

test("what a terminal would act upon is shown and not sent", () => {
  expect(
    cellsOf("a\u001b[2J\t\u202e\u009b\n")
      .map(({ text }) => text)
      .join(""),
  ).toBe("a^[[2J^I\\u202e\\u009b^J");
});

const TEXT = fc.string({ unit: "grapheme", maxLength: 30 });

test("a text is divided as the runtime's own segmenter divides it", () => {
  const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
  fc.assert(
    fc.property(TEXT, (text) => {
      const ours = cellsOf(text).map(({ length }) => length);
      expect(ours).toEqual(Array.from(segmenter.segment(text), ({ segment }) => segment.length));
    }),
  );
});

test("boundaries forwards and backwards are the same places", () => {
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
