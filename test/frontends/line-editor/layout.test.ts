// Drawing on a simulated terminal: after any changes it shows the line and the cursor in the right place.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { cellsOf } from "../../../src/frontends/line-editor/characters.ts";
import {
  changed,
  drawn,
  leave,
  type Picture,
  pictureOf,
  type Size,
} from "../../../src/frontends/line-editor/layout.ts";
import type { Line } from "../../../src/frontends/line-editor/line.ts";

/** The visible text, without trailing blanks and trailing empty rows. */
const shownText = (rows: readonly (readonly string[])[]): string =>
  rows
    .map((row) => row.join("").trimEnd())
    .join("\n")
    .trimEnd();

/** A terminal of so many columns and any number of rows, which understands the editor's sequences. */
class Model {
  readonly #columns: number;
  readonly rows: string[][] = [[]];
  row = 0;
  column = 0;

  constructor(columns: number) {
    this.#columns = columns;
  }

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the editor sends them
    for (const [part] of text.matchAll(/\x1b\[\d*[A-Z]|\r|\n|[^\x1b\r\n]+/gu)) {
      if (part.startsWith("\x1b")) this.#control(Number(part.slice(2, -1) || "1"), part.at(-1) ?? "");
      else if (part === "\r") this.column = 0;
      else if (part === "\n") this.#down();
      else for (const cell of cellsOf(part)) this.#put(cell.text, cell.width);
    }
  }

  text(): string {
    return shownText(this.rows);
  }

  #put(text: string, width: number): void {
    if (this.column + width > this.#columns) throw new Error("a row was broken by the terminal");
    const row = this.rows[this.row] ?? [];
    while (row.length < this.column) row.push(" ");
    if (width > 0) row.splice(this.column, width, text, ...Array.from({ length: width - 1 }, () => ""));
    else row[this.column - 1] += text;
    this.column += width;
  }

  /** A new row at the end of the screen. */
  #down(): void {
    this.row++;
    if (this.rows.length <= this.row) this.rows.push([]);
  }

  #control(count: number, what: string): void {
    if (what === "A") this.row = Math.max(0, this.row - count);
    else if (what === "B") this.row = Math.min(this.rows.length - 1, this.row + count);
    else if (what === "C") this.column = Math.min(this.#columns - 1, this.column + count);
    else if (what === "K" || what === "J") {
      if (this.column >= this.#columns) throw new Error("the last character of a row was erased");
      this.rows[this.row]?.splice(this.column);
      if (what === "J") this.rows.splice(this.row + 1);
    } else throw new Error(`the model knows no ${what}`);
  }
}

const LINE: fc.Arbitrary<Line> = fc
  .array(
    fc.oneof(
      fc.constantFrom("a", "b", " ", "日", "e\u0301", "\x01", "👨‍👩‍👧", "abcdefghij"),
      fc.string({ unit: "grapheme", maxLength: 3 }),
    ),
    { maxLength: 20 },
  )
  .chain((parts) => {
    const text = parts.join("").replace(/\p{M}/gu, "\u0301");
    return fc.record({ text: fc.constant(text), cursor: fc.integer({ min: 0, max: text.length }) });
  });
const SIZE: fc.Arbitrary<Size> = fc.record({
  columns: fc.integer({ min: 1, max: 30 }),
  rows: fc.integer({ min: 1, max: 6 }),
});

const expectShown = (model: Model, picture: Picture): void => {
  expect(model.text()).toBe(shownText(picture.rows.map((row) => row.map(({ text }) => text))));
  expect({ row: model.row, column: model.column }).toEqual(picture.cursor);
};

test("drawing and every later change show the current line and cursor", () => {
  fc.assert(
    fc.property(SIZE, fc.array(LINE, { minLength: 1, maxLength: 6 }), (size, lines) => {
      const model = new Model(size.columns);
      let before: Picture | null = null;
      for (const line of lines) {
        const after = pictureOf("> ", line, size);
        expect(after.rows.length).toBeLessThanOrEqual(size.rows);
        expect(after.cursor.column).toBeLessThan(size.columns);
        expect(after.cursor.row).toBeLessThan(after.rows.length);
        model.write(before === null ? drawn(after) : changed(before, after));
        expectShown(model, after);
        before = after;
      }
      if (before !== null) model.write(leave(before));
      expect({ row: model.row, column: model.column }).toEqual({ row: before?.rows.length ?? 0, column: 0 });
    }),
    { numRuns: 500 },
  );
});

test("typing at the end writes only the new character", () => {
  const size = { columns: 20, rows: 5 };
  const [before, after] = ["> ab", "> abc"].map((text) => pictureOf("", { text, cursor: text.length }, size));
  if (before === undefined || after === undefined) throw new Error("unreachable");
  expect(changed(before, after)).toBe("c\x1b[K");
  expect(changed(after, after)).toBe("");
});

test("of a line of many screens only the part around the cursor is laid out", () => {
  const text = Array.from({ length: 100_000 }, (_, index) => String(index % 10)).join("");
  for (const cursor of [0, 1, 50_000, 99_999, 100_000]) {
    const { rows, cursor: place } = pictureOf("> ", { text, cursor }, { columns: 10, rows: 4 });
    expect(rows).toHaveLength(4);
    const under = rows[place.row]?.[place.column]?.text;
    expect(under).toBe(cursor === text.length ? undefined : String(cursor % 10));
  }
});
