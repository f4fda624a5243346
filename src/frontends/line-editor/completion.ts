// Completion of the word before the cursor, and the list of candidates.
import { cellsOf } from "./characters.ts";
import type { Line } from "./line.ts";

/** The candidates for the last word of a text, and the part of the text that they replace. */
export type Completer = (text: string) => readonly [candidates: readonly string[], word: string];

export type Completed = {
  readonly line: Line;
  readonly candidates: readonly string[];
};

/** The line with the common beginning of all candidates, and a space after it if there is only one. */
export const completed = (line: Line, complete: Completer): Completed => {
  const before = line.text.slice(0, line.cursor);
  const [candidates, word] = complete(before);
  const [first, ...others] = candidates;
  if (first === undefined) return { line, candidates };
  const certain = others.reduce(commonStart, first);
  const after = line.text.slice(line.cursor);
  const text = others.length > 0 ? certain : `${certain}${after.startsWith(" ") ? "" : " "}`;
  if (text.length < word.length) return { line, candidates };
  const start = before.slice(0, before.length - word.length) + text;
  return { line: { text: start + after, cursor: start.length }, candidates };
};

const commonStart = (one: string, other: string): string => {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length++;
  return one.slice(0, length);
};

/** The words in rows, sorted down the columns. */
export const listed = (words: readonly string[], columns: number): readonly string[] => {
  const width = Math.max(...words.map(widthOf)) + 2;
  const across = Math.max(1, Math.floor(columns / width));
  const down = Math.ceil(words.length / across);
  return Array.from({ length: down }, (_, row) =>
    words
      .filter((_, index) => index % down === row)
      .map((word) => word + " ".repeat(width - widthOf(word)))
      .join("")
      .trimEnd(),
  );
};

const widthOf = (word: string): number => cellsOf(word).reduce((sum, { width }) => sum + width, 0);
