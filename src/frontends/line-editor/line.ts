// The edited line, its cursor movements and changes. Pure: each function returns a new line.
import { nextBoundary, previousBoundary } from "./characters.ts";

/** `cursor` counts UTF-16 units. */
export type Line = { readonly text: string; readonly cursor: number };

/** A line, and the text that was cut from it. */
export type Cut = { readonly line: Line; readonly cut: string };

/** Maximum length of a line, in UTF-16 units. */
export const MOST_LINE = 1024 * 1024;

export const EMPTY: Line = { text: "", cursor: 0 };

export const lineOf = (text: string): Line => ({ text, cursor: text.length });

/** The same line if the text does not fit. */
export const insert = (line: Line, added: string): Line =>
  line.text.length + added.length > MOST_LINE
    ? line
    : {
        text: line.text.slice(0, line.cursor) + added + line.text.slice(line.cursor),
        cursor: line.cursor + added.length,
      };

const moved = (line: Line, cursor: number): Line => ({ text: line.text, cursor });

export const toStart = (line: Line): Line => moved(line, 0);
export const toEnd = (line: Line): Line => moved(line, line.text.length);
export const left = (line: Line): Line => moved(line, previousBoundary(line.text, line.cursor));
export const right = (line: Line): Line => moved(line, nextBoundary(line.text, line.cursor));
export const wordLeft = (line: Line): Line => moved(line, wordStart(line, isOfWord));
export const wordRight = (line: Line): Line => moved(line, wordEnd(line));

/** Cuts the text between the cursor and another position. */
const cutTo = ({ text, cursor }: Line, position: number): Cut => {
  const [from, to] = position < cursor ? [position, cursor] : [cursor, position];
  return { line: { text: text.slice(0, from) + text.slice(to), cursor: from }, cut: text.slice(from, to) };
};

export const deleteLeft = (line: Line): Line => cutTo(line, left(line).cursor).line;
export const deleteRight = (line: Line): Line => cutTo(line, right(line).cursor).line;
export const cutToStart = (line: Line): Cut => cutTo(line, 0);
export const cutToEnd = (line: Line): Cut => cutTo(line, line.text.length);
export const cutWordLeft = (line: Line): Cut => cutTo(line, wordLeft(line).cursor);
export const cutWordRight = (line: Line): Cut => cutTo(line, wordRight(line).cursor);
/** Back to white space, with any other characters as the word. */
export const cutBlankWordLeft = (line: Line): Cut => cutTo(line, wordStart(line, isNoBlank));

/** Exchanges the characters around the cursor, at the end of the line the last two, and moves after them. */
export const transpose = (line: Line): Line => {
  const { text, cursor } = line;
  const end = cursor === text.length ? cursor : nextBoundary(text, cursor);
  const middle = previousBoundary(text, end);
  const start = previousBoundary(text, middle);
  if (cursor === 0 || start === middle) return line;
  const exchanged = text.slice(middle, end) + text.slice(start, middle);
  return { text: text.slice(0, start) + exchanged + text.slice(end), cursor: end };
};

const isOfWord = (character: string): boolean => /^[\p{L}\p{N}\p{M}]/u.test(character);
const isNoBlank = (character: string): boolean => !/^\s/.test(character);

/** Back over characters outside of words, and then over the word. */
const wordStart = ({ text, cursor }: Line, isIn: (character: string) => boolean): number => {
  let at = cursor;
  while (at > 0 && !isIn(characterBefore(text, at))) at -= characterBefore(text, at).length;
  while (at > 0 && isIn(characterBefore(text, at))) at -= characterBefore(text, at).length;
  return at;
};

const wordEnd = ({ text, cursor }: Line): number => {
  let at = cursor;
  while (at < text.length && !isOfWord(characterAt(text, at))) at += characterAt(text, at).length;
  while (at < text.length && isOfWord(characterAt(text, at))) at += characterAt(text, at).length;
  return at;
};

const characterAt = (text: string, at: number): string => String.fromCodePoint(text.codePointAt(at) ?? 0);

const characterBefore = (text: string, at: number): string => {
  const isPair = at > 1 && (text.codePointAt(at - 2) ?? 0) > 0xffff;
  return text.slice(isPair ? at - 2 : at - 1, at);
};
