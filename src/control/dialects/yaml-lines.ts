// The lines of a YAML document, and what begins in one: plain scalars, keys, marks of documents.

import { resolveScalar, unescapeDouble, YamlFault } from "./yaml-scalars.ts";

/** A line, or the part of it after a dash. `from` and `to` are positions in the text. */
export type Line = { readonly indent: number; readonly from: number; readonly to: number };

export const linesOf = (text: string): Line[] => {
  const lines: Line[] = [];
  for (let start = 0; start <= text.length; ) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    let from = start;
    while (from < end && text[from] === " ") from += 1;
    let to = end;
    while (to > from && (text[to - 1] === " " || text[to - 1] === "\t")) to -= 1;
    // The end of the last line does not begin another line.
    if (newline >= 0 || end > start) lines.push({ indent: from - start, from, to });
    start = end + 1;
  }
  return lines;
};

/** The characters that may begin a plain scalar (YAML 1.2, rule 123). */
export const isPlainStart = (text: string): boolean =>
  text !== "" && !/^(?:[,[\]{}#&*!|>'"%@`\t]|[-?:](?:\s|$))/.test(text);

/** Whether a line that is not indented begins or ends a document. */
export const isMarker = (text: string): boolean => /^(?:---|\.\.\.)(?:\s|$)/.test(text);

/** A line of a plain scalar, without the comment that ends it. */
export const plainText = (text: string): { readonly text: string; readonly ended: boolean } => {
  const comment = text.indexOf(" #");
  const said = comment < 0 ? text : text.slice(0, comment);
  if (said.includes("\t") || /:(?:\s|$)/.test(said)) throw new YamlFault();
  // Other blanks are text (YAML 1.2, section 5.5).
  let to = said.length;
  while (to > 0 && said[to - 1] === " ") to -= 1;
  return { text: said.slice(0, to), ended: comment >= 0 };
};

/** Runs of spaces are matched whole; otherwise a line of spaces would be scanned again for each space. */
const PLAIN_KEY =
  /^[^\s,[\]{}#&*!|>'"%@`?:-](?:[^\s:#]|:(?=\S)|(?<=\S)#|(?=( +))\1(?=[^\s:#]))*(?= *:(?: |$))|^[-?:](?=\S)(?:[^\s:#]|:(?=\S)|(?<=\S)#|(?=( +))\2(?=[^\s:#]))+(?= *:(?: |$))/;
const QUOTED_KEY = /^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')(?= *:(?: |$))/;

export const isMappingLine = (text: string): boolean => {
  const head = headOf(text);
  return PLAIN_KEY.test(head) || QUOTED_KEY.test(head);
};

/** A key on one line has at most 1024 characters (YAML 1.2, section 7.4.2): later characters are not searched. */
const headOf = (text: string): string => (text.length <= LONGEST_KEY ? text : `${text.slice(0, LONGEST_KEY)}-`);
const LONGEST_KEY = 1026;

/** A mapping's key, and where in the line the rest begins. */
export const keyOf = (text: string): { readonly key: string; readonly rest: number } => {
  const written = PLAIN_KEY.exec(headOf(text))?.[0] ?? QUOTED_KEY.exec(headOf(text))?.[0];
  if (written === undefined) throw new YamlFault();
  const colon = text.indexOf(":", written.length);
  let rest = colon + 1;
  while (text[rest] === " ") rest += 1;
  const isQuoted = written.startsWith('"') || written.startsWith("'");
  const inner = written.slice(1, -1);
  const value = !isQuoted
    ? resolveScalar(written)
    : written.startsWith('"')
      ? unescapeDouble(inner)
      : inner.replaceAll("''", "'");
  return { key: keyText(value), rest };
};

export const keyText = (key: unknown): string => {
  if (typeof key === "object" && key !== null) throw new YamlFault();
  const text = key === null ? "" : String(key);
  if (text === "__proto__") throw new YamlFault();
  return text;
};
