// The appearance of a text on a terminal: user-perceived characters (UAX #29), the columns of each (UAX #11), and the
// replacements for control characters.
import { eastAsianWidth } from "get-east-asian-width";
import { graphemeSegments } from "unicode-segmenter/grapheme";
import { UNSAFE } from "../../control/printable.ts";

/** One visible character. `length`: its length in the text, in UTF-16 units. */
export type Cell = { readonly text: string; readonly width: number; readonly length: number };

/** Combining marks, and invisible joiners and separators. */
const INVISIBLE = /^[\p{Mn}\p{Me}\u200b-\u200d\u2060-\u2064]/u;
/** Emoji and flags: two columns, whatever the width of the first character alone. */
const PICTURE = /\ufe0f|^[\u{1f1e6}-\u{1f1ff}]{2}/u;
const ASCII = /^[ -~]+$/;

const widthOf = (character: string): number => {
  if (PICTURE.test(character)) return 2;
  return INVISIBLE.test(character) ? 0 : eastAsianWidth(character.codePointAt(0) ?? 0);
};

/** `^C` for a control character, as terminals echo it, and `\u202e` for other characters that move or reorder text. */
const shownUnsafe = (character: string): string => {
  const code = character.charCodeAt(0);
  if (code < 0x20 || code === 0x7f) return `^${String.fromCharCode(code ^ 0x40)}`;
  return `\\u${code.toString(16).padStart(4, "0")}`;
};

const asciiCells = (text: string): readonly Cell[] => Array.from(text, (character) => cellOf(character, 1, 1));
const cellOf = (text: string, width: number, length: number): Cell => ({ text, width, length });

/** The characters of a text, in order. */
export const cellsOf = (text: string): readonly Cell[] => {
  if (ASCII.test(text)) return asciiCells(text);
  return Array.from(graphemeSegments(text), ({ segment }) => {
    const shown = segment.replace(UNSAFE, shownUnsafe);
    return cellOf(shown, shown === segment ? widthOf(segment) : shown.length, segment.length);
  });
};

/** How far from a position the boundaries of a character are searched. Longer characters are divided. */
const REACH = 256;

/** The end of the character that begins at `at`. */
export const nextBoundary = (text: string, at: number): number => {
  for (const { segment } of graphemeSegments(text.slice(at, at + REACH))) return at + segment.length;
  return text.length;
};

/** The beginning of the character that ends at `at`. */
export const previousBoundary = (text: string, at: number): number => {
  let start = Math.max(0, at - 1);
  // Such a character never joins the one before it.
  while (start > 0 && at - start < REACH && !isPlain(text.charCodeAt(start))) start--;
  let last = start;
  for (const { index } of graphemeSegments(text.slice(start, at))) last = start + index;
  return last;
};

const isPlain = (code: number): boolean => code >= 0x20 && code < 0x7f;
