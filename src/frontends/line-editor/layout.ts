// A prompt and a line as rows of a terminal, and the control sequences that update the visible picture. Rows
// are broken here and not by the terminal, so where the cursor is does not depend on how it wraps.
import { type Cell, cellsOf, previousBoundary } from "./characters.ts";
import type { Line } from "./line.ts";

export type Size = { readonly columns: number; readonly rows: number };
type Row = readonly Cell[];
type Position = { readonly row: number; readonly column: number };

/** The visible rows, beginning with the row of the prompt, or with the first one that fits. */
export type Picture = { readonly rows: readonly Row[]; readonly cursor: Position; readonly columns: number };

/** Lays out a line: at most as many rows as the screen has, those around the cursor. */
export const pictureOf = (prompt: string, line: Line, size: Size): Picture => {
  const { text, cursor, hasPrompt } = partOf(line, size);
  const rows: Cell[][] = [[]];
  let width = 0;
  let position: Position | null = null;
  const breakRow = (): void => {
    rows.push([]);
    width = 0;
  };
  /** Says where it is. */
  const put = (cell: Cell): Position => {
    const fitting = cell.width > size.columns ? { ...cell, text: "?", width: 1 } : cell;
    if (width + fitting.width > size.columns) breakRow();
    rows.at(-1)?.push(fitting);
    width += fitting.width;
    return { row: rows.length - 1, column: width - fitting.width };
  };
  if (hasPrompt) for (const cell of cellsOf(prompt)) put(cell);
  let at = 0;
  for (const cell of cellsOf(text)) {
    at += cell.length;
    const here = put(cell);
    if (position === null && at > cursor) position = here;
  }
  if (position === null) {
    if (width >= size.columns) breakRow();
    position = { row: rows.length - 1, column: width };
  }
  return inScreen({ rows, cursor: position, columns: size.columns }, size.rows);
};

/** If a line is longer than the screen, only the part around the cursor is laid out. */
const partOf = (
  { text, cursor }: Line,
  { columns, rows }: Size,
): { readonly text: string; readonly cursor: number; readonly hasPrompt: boolean } => {
  const page = columns * rows;
  if (text.length <= 3 * page) return { text, cursor, hasPrompt: true };
  const from = previousBoundary(text, Math.max(0, Math.floor(cursor / page) - 1) * page);
  return { text: text.slice(from, from + 3 * page), cursor: cursor - from, hasPrompt: from === 0 };
};

const inScreen = (picture: Picture, height: number): Picture => {
  const { rows, cursor } = picture;
  if (rows.length <= height) return picture;
  const first = Math.min(Math.max(0, cursor.row - height + 1), rows.length - height);
  return {
    ...picture,
    rows: rows.slice(first, first + height),
    cursor: { row: cursor.row - first, column: cursor.column },
  };
};

const widthOf = (row: Row): number => row.reduce((sum, { width }) => sum + width, 0);
const textOf = (row: Row): string => row.map(({ text }) => text).join("");

/** Draws a first picture: the cursor is in its first row. */
export const drawn = ({ rows, cursor }: Picture): string => {
  const end = { row: rows.length - 1, column: Number.NaN };
  return `\r\x1b[J${rows.map(textOf).join("\r\n")}${moved(end, cursor)}`;
};

/** After a full row, the cursor is still on its last character, which would be erased. */
const eraseBehind = (row: Row, columns: number): string => (widthOf(row) < columns ? "\x1b[K" : "");

/** Changes the visible picture to another one of the same width: only differences are written. */
export const changed = (before: Picture, after: Picture): string => {
  let text = "";
  let at: Position = before.cursor;
  after.rows.forEach((row, index) => {
    const old = before.rows[index];
    if (old === undefined) {
      text += `${moved(at, { row: index - 1, column: 0 })}\r\n`;
      at = { row: index, column: 0 };
    }
    const same = commonStart(old ?? [], row);
    if (old !== undefined && same === row.length && same === old.length) return;
    const start = { row: index, column: widthOf(row.slice(0, same)) };
    text += moved(at, start) + textOf(row.slice(same)) + eraseBehind(row, after.columns);
    const width = widthOf(row);
    at = { row: index, column: width < after.columns ? width : Number.NaN };
  });
  if (before.rows.length > after.rows.length) {
    const below = { row: after.rows.length, column: 0 };
    text += `${moved(at, below)}\x1b[J`;
    at = below;
  }
  return text + moved(at, after.cursor);
};

/** Moves from the visible picture to the start of the row below it. */
export const leave = (picture: Picture): string =>
  `${moved(picture.cursor, { row: picture.rows.length - 1, column: 0 })}\r\n`;

/** Moves to the start of the first row of the visible picture. */
export const back = (picture: Picture): string => moved(picture.cursor, { row: 0, column: Number.NaN });

/** The same after the terminal got another width: most terminals have broken rows that were too long for it. */
export const backAfterResize = ({ rows, cursor }: Picture, columns: number): string => {
  const above = rows.slice(0, cursor.row).reduce((sum, row) => sum + Math.max(1, Math.ceil(widthOf(row) / columns)), 0);
  return moved({ row: above + Math.floor(cursor.column / columns), column: Number.NaN }, { row: 0, column: 0 });
};

/** Moves the cursor. Column NaN: unknown, as after a full row. */
const moved = (from: Position, to: Position): string => {
  const down = to.row - from.row;
  const rows = down === 0 ? "" : `\x1b[${Math.abs(down)}${down < 0 ? "A" : "B"}`;
  if (down === 0 && from.column === to.column) return "";
  return `\r${rows}${to.column > 0 ? `\x1b[${to.column}C` : ""}`;
};

/** How many cells two rows share at their start. If they differ, only as far as all terminals agree on the columns. */
const commonStart = (one: Row, other: Row): number => {
  let same = 0;
  while (same < one.length && one[same]?.text === other[same]?.text) same++;
  if (same === one.length && same === other.length) return same;
  const uncertain = one.slice(0, same).findIndex(({ text }) => text > "\x7f");
  return uncertain < 0 ? same : uncertain;
};
