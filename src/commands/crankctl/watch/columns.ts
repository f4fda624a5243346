// Tables that fit any width: the least important columns are left out first, and one column may grow.
import { fit, type Line, type Piece, type Tone, widthOf } from "./text.ts";

export type Column<T> = {
  readonly title: string;
  readonly side: "left" | "right";
  /** The minimum width; `grows`: it takes the remaining width. */
  readonly width: number;
  readonly grows?: true;
  /** Columns with the lowest number are dropped last. */
  readonly rank: number;
  readonly cell: (row: T, columns: number) => Piece;
};

/** The columns that fit, in order, each with its width. One space separates two columns. */
export const columnsFor = <T>(
  all: readonly Column<T>[],
  columns: number,
): readonly (readonly [Column<T>, number])[] => {
  const chosen = new Set<Column<T>>();
  let remaining = columns + 1;
  for (const column of [...all].sort((a, b) => a.rank - b.rank)) {
    if (column.width + 1 > remaining) break;
    chosen.add(column);
    remaining -= column.width + 1;
  }
  return all
    .filter((column) => chosen.has(column))
    .map((column) => [column, column.width + (column.grows === true ? remaining : 0)] as const);
};

/** The titles of the columns, each with its width. */
export const headerLine = <T>(columns: readonly (readonly [Column<T>, number])[]): Line =>
  joined(columns.map(([{ title, side }, width]) => [fit(title, width, side), "dim"]));

/** `tone` applies to the whole line and overrides its cells. */
export const rowLine = <T>(columns: readonly (readonly [Column<T>, number])[], row: T, tone: Tone | null): Line =>
  joined(
    columns.map(([column, width]) => {
      const [text, own] = column.cell(row, width);
      return [fit(text, width, column.side), tone ?? own];
    }),
  );

const joined = (cells: readonly Piece[]): Line =>
  cells.flatMap((cell, index): Piece[] => (index === 0 ? [cell] : [[" ", cell[1]], cell]));

/** Joins pieces; the last ones are dropped if they do not fit. */
export const asMuchAsFits = (pieces: readonly Piece[], columns: number): Line => {
  const line: Piece[] = [];
  let width = 0;
  for (const piece of pieces) {
    width += widthOf(piece[0]) + (line.length > 0 ? 2 : 0);
    if (width > columns && line.length > 0) break;
    if (line.length > 0) line.push(["  ", "plain"]);
    line.push(piece);
  }
  return line;
};
