// Lines for a terminal: pieces of text with a meaning, cut to a width, and the style of each meaning. Text from other
// sources must be escaped before.

/** The meaning of a piece of text; the palette has its style. */
export type Tone = "plain" | "title" | "dim" | "good" | "warn" | "bad" | "chosen";
export type Piece = readonly [text: string, tone: Tone];
export type Line = readonly Piece[];

/** The output settings of a terminal. Without `colour`, only text is written. Without `utf8`, characters outside of ASCII become question marks. */
export type Style = { readonly colour: boolean; readonly utf8: boolean };

/** The size and the output settings of the terminal. */
export type Frame = { readonly columns: number; readonly rows: number; readonly look: Style };

/** Whether the screen is too narrow for sentences and tables. */
export const isNarrow = ({ columns }: Pick<Frame, "columns">): boolean => columns < 50;

/** SGR, ECMA-48 8.3.117. */
const COLOURS: Readonly<Record<Tone, string>> = {
  plain: "",
  title: "1",
  dim: "2",
  good: "32",
  warn: "33",
  bad: "31",
  chosen: "7",
};

const INVISIBLE = /^[\p{M}\u200b-\u200d]$/u;
const WIDE =
  /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u;

const columnsOf = (character: string): number => {
  if (character < "\u0300") return 1;
  if (INVISIBLE.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
};

/** The width of a text in columns (UAX #11, roughly; if a terminal differs, only the end of the line moves). */
export const widthOf = (text: string): number => {
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
};

/** The part of the text that fits into `columns`. */
const clip = (text: string, columns: number): string => {
  let width = 0;
  let end = 0;
  for (const character of text) {
    width += columnsOf(character);
    if (width > columns) return text.slice(0, end);
    end += character.length;
  }
  return text;
};

/** The text in exactly `columns`, aligned left or right. */
export const fit = (text: string, columns: number, side: "left" | "right"): string => {
  const cut = clip(text, columns);
  const space = " ".repeat(columns - widthOf(cut));
  return side === "left" ? cut + space : space + cut;
};

/** A line as text for a terminal of this width. */
export const drawLine = (line: Line, columns: number, look: Style): string => {
  let remaining = columns;
  let drawn = "";
  for (const [text, tone] of line) {
    const cut = clip(look.utf8 ? text : text.replace(/[^ -~]/gu, "?"), remaining);
    remaining -= widthOf(cut);
    const colour = look.colour ? COLOURS[tone] : "";
    drawn += colour === "" || cut === "" ? cut : `\x1b[${colour}m${cut}\x1b[0m`;
  }
  return drawn;
};

/** A bar of this width: `done` of `whole` full, `begun` more half full. */
export const bar = (of: { done: number; begun?: number; whole: number }, columns: number, look: Style): string => {
  const [full, half, empty] = look.utf8 ? ["█", "▒", "░"] : ["#", "+", "."];
  const share = (count: number): number =>
    of.whole <= 0 ? 0 : Math.min(columns, Math.round((Math.min(count, of.whole) / of.whole) * columns));
  // A small value is still visible, and an incomplete value is never shown as complete.
  const done = of.done > 0 ? Math.max(1, of.done < of.whole ? Math.min(share(of.done), columns - 1) : columns) : 0;
  const begun = Math.max(done, share(of.done + (of.begun ?? 0)));
  return full.repeat(done) + half.repeat(begun - done) + empty.repeat(columns - begun);
};
