// Characters that must not reach a terminal unescaped, from any source: a worker, a client, a path.

/**
 * C0 and DEL, C1, the bidirectional controls (UAX #9), the line and paragraph separators, the byte order mark that hides,
 * and halves of surrogate pairs: all that can move a cursor, reorder a line or break it in two.
 */
export const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** The text with each of them written as JSON would: `\u001b`. Tabs stay. */
export const printable = (text: string): string =>
  text.replace(UNSAFE, (character) =>
    character === "\t" ? "\t" : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
