// How the lines of one YAML scalar become its text: folding of quoted scalars and of block scalars.

/** Whether the quote at `at` is escaped by the backslashes before it. */
export const isEscaped = (text: string, at: number, from: number): boolean => {
  let escapes = at;
  while (escapes - 1 > from && text[escapes - 1] === "\\") escapes -= 1;
  return (at - escapes) % 2 === 1;
};

/** Whether a line of a quoted scalar is not indented deeper than its parent; the quote ends the last line. */
export const isShallow = (raw: string, above: number): boolean =>
  above >= 0 &&
  `${raw}"`
    .split("\n")
    .slice(1)
    .some((row) => /[^ ]/.test(row) && row.search(/[^ ]/) <= above);

/** Line folding of quoted scalars (YAML 1.2, section 7.3): a newline is a space, an empty line a newline. */
export const foldQuoted = (raw: string, isDouble: boolean): string => {
  if (!raw.includes("\n")) return raw;
  const rows = raw.split("\n");
  // Joined at the end: reading the end of a growing string copies it.
  const folded: string[] = [];
  let before = "";
  let empty = 0;
  for (const [index, row] of rows.entries()) {
    const text = trimmed(row, index > 0, index < rows.length - 1, isDouble);
    if (index > 0 && text === "" && index < rows.length - 1) {
      empty += 1;
      continue;
    }
    if (index > 0) {
      const isJoined = isDouble && isContinued(before);
      folded.push(isJoined ? before.slice(0, -1) : before);
      folded.push(empty > 0 ? "\n".repeat(empty) : isJoined ? "" : " ");
    }
    empty = 0;
    before = text;
  }
  return folded.join("") + before;
};

const trimmed = (row: string, atStart: boolean, atEnd: boolean, hasEscapes: boolean): string => {
  let from = 0;
  let to = row.length;
  while (atStart && from < to && (row[from] === " " || row[from] === "\t")) from += 1;
  while (atEnd && to > from && (row[to - 1] === " " || row[to - 1] === "\t")) to -= 1;
  // An escaped blank is kept.
  if (hasEscapes && to < row.length && atEnd && isContinued(row.slice(0, to))) to += 1;
  return row.slice(from, to);
};

const isContinued = (text: string): boolean => text.endsWith("\\") && !isEscaped(text, text.length - 1, -2);

/** The rows of a block scalar as one text. */
export const chomped = (rows: readonly string[], folds: boolean, chomp: string): string => {
  let last = rows.length;
  while (last > 0 && rows[last - 1] === "") last -= 1;
  const body = rows.slice(0, last);
  const text = folds ? foldBlock(body) : body.join("\n");
  if (chomp === "-" || (last === 0 && chomp === "")) return text;
  const tail = chomp === "+" ? "\n".repeat(rows.length - last) : "";
  return last === 0 ? tail : `${text}\n${tail}`;
};

/** Lines that are indented further, and the newlines around them, are kept (YAML 1.2, section 8.1.3). */
const foldBlock = (rows: readonly string[]): string => {
  let folded = "";
  let empty = 0;
  let before: "start" | "text" | "indented" = "start";
  for (const row of rows) {
    if (row === "") {
      empty += 1;
      continue;
    }
    const isIndented = /^[ \t]/.test(row);
    if (before === "start") folded += "\n".repeat(empty);
    else if (before === "indented" || isIndented) folded += "\n".repeat(empty + 1);
    else folded += empty > 0 ? "\n".repeat(empty) : " ";
    folded += row;
    empty = 0;
    before = isIndented ? "indented" : "text";
  }
  return folded;
};
