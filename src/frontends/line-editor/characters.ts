// What a text looks like on a terminal: user-perceived characters (UAX #29), the columns that each takes (UAX #11), and what
// is shown for those that a terminal would act upon.
import { eastAsianWidth } from "get-east-asian-width";
import { graphemeSegments } from "unicode-segmenter/grapheme";
import { UNSAFE } from "../../control/printable.ts";

/** One character as it is shown. `length` is how much of the text it stands for, in UTF-16 units. */
export type Cell = { readonly text: string; readonly width: number; readonly length: number };

/** Combining marks, and what joins or separates invisibly. */
const INVISIBLE = /^[\p{Mn}\p{Me}\u200b-\u200d\u2060-\u2064]/u;
/** Shown as a picture, or a flag of two letters: two columns whatever the first character alone takes. */
const PICTURE = /\ufe0f|^[\u{1f1e6}-\u{1f1ff}]{2}/u;
const ASCII = /^[ -~]+$/;

const widthOf = (character: string): number => {
  if (PICTURE.test(character)) return 2;
  return INVISIBLE.test(character) ? 0 : eastAsianWidth(character.codePointAt(0) ?? 0);
};

/** `^C` for a control character, as terminals echo it, and `\u202e` for what else would move or reorder text. */
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

/** How far around a place is looked for the ends of a character. Longer ones are taken in parts. */
const REACH = 256;

/** Where the character ends that begins at `at`. */
export const nextBoundary = (text: string, at: number): number => {
  for (const { segment } of graphemeSegments(text.slice(at, at + REACH))) return at + segment.length;
  return text.length;
};

/** Where the character begins that ends at `at`. */
export const previousBoundary = (text: string, at: number): number => {
  let start = Math.max(0, at - 1);
  // Nothing is joined to what is before such a character.
  while (start > 0 && at - start < REACH && !isPlain(text.charCodeAt(start))) start--;
  let last = start;
  for (const { index } of graphemeSegments(text.slice(start, at))) last = start + index;
  return last;
};

const isPlain = (code: number): boolean => code >= 0x20 && code < 0x7f;
