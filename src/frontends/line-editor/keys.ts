// Parses a terminal's input as keys: control characters, escape sequences (ECMA-48, xterm's ctlseqs) and bracketed paste. An
// incomplete sequence waits for the rest. Pure.

export type Command =
  | "accept"
  | "interrupt"
  | "suspend"
  | "quit"
  | "escape"
  | "abort"
  | "start"
  | "end"
  | "left"
  | "right"
  | "wordLeft"
  | "wordRight"
  | "deleteLeft"
  | "deleteRight"
  | "deleteRightOrEnd"
  | "cutToStart"
  | "cutToEnd"
  | "cutBlankWordLeft"
  | "cutWordLeft"
  | "cutWordRight"
  | "putBack"
  | "transpose"
  | "clearScreen"
  | "previous"
  | "next"
  | "oldest"
  | "newest"
  | "searchBack"
  | "searchForward"
  | "complete";

export type Key =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "pasted"; readonly text: string }
  | { readonly kind: "command"; readonly command: Command }
  | { readonly kind: "unknown" };

/** The part of the input that is not a key yet. */
export type Pending = { readonly rest: string; readonly isPasting: boolean };
export const NOTHING: Pending = { rest: "", isPasting: false };

const COMMANDS: Readonly<Record<string, Command>> = {
  "\x01": "start",
  "\x02": "left",
  "\x03": "interrupt",
  "\x04": "deleteRightOrEnd",
  "\x05": "end",
  "\x06": "right",
  "\x07": "abort",
  "\b": "deleteLeft",
  "\t": "complete",
  "\n": "accept",
  "\v": "cutToEnd",
  "\f": "clearScreen",
  "\r": "accept",
  "\x0e": "next",
  "\x10": "previous",
  "\x12": "searchBack",
  "\x13": "searchForward",
  "\x14": "transpose",
  "\x15": "cutToStart",
  "\x17": "cutBlankWordLeft",
  "\x19": "putBack",
  "\x1a": "suspend",
  "\x1c": "quit",
  "\x7f": "deleteLeft",
  "\x1bb": "wordLeft",
  "\x1bB": "wordLeft",
  "\x1bf": "wordRight",
  "\x1bF": "wordRight",
  "\x1bd": "cutWordRight",
  "\x1bD": "cutWordRight",
  "\x1b\x7f": "cutWordLeft",
  "\x1b\b": "cutWordLeft",
  "\x1b<": "oldest",
  "\x1b>": "newest",
  "\x1b[1~": "start",
  "\x1b[7~": "start",
  "\x1b[4~": "end",
  "\x1b[8~": "end",
  "\x1b[3~": "deleteRight",
  "\x1b[1;5C": "wordRight",
  "\x1b[1;3C": "wordRight",
  "\x1b[1;5D": "wordLeft",
  "\x1b[1;3D": "wordLeft",
  // Cursor keys, in the normal and the application mode of a terminal.
  ...Object.fromEntries(
    (["A previous", "B next", "C right", "D left", "H start", "F end"] as const).flatMap((pair) => {
      const [letter, command] = pair.split(" ") as [string, Command];
      return [
        [`\x1b[${letter}`, command],
        [`\x1bO${letter}`, command],
      ];
    }),
  ),
};

const PASTE_BEGINS = "\x1b[200~";
const PASTE_ENDS = "\x1b[201~";
/** A longer sequence is invalid. */
const MOST_SEQUENCE = 32;
/** Line breaks at the end of the pasted text so far are held back: at the end of the paste they are dropped. */
const MOST_KEPT_BACK = 4096;

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what keys send
const WHOLE = /^(?:\x1b\[\[.|\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|\x1b[^[O\x1b]|\x1b(?=\x1b)|[^\x1b])/su;
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what keys send
const CUT_OFF = /^\x1b(?:\[\[?|O|\[[0-?]*[ -/]*)?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what keys send
const BROKEN = /^\x1b(?:\[[0-?]*[ -/]*|O)?/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all but control characters
const TEXT = /^[^\x00-\x1f\x7f]+/;

/** The keys in the input, and the part that may continue in the next input. */
export const keysIn = (
  pending: Pending,
  typed: string,
): { readonly keys: readonly Key[]; readonly pending: Pending } => {
  const keys: Key[] = [];
  let rest = pending.rest + typed;
  let { isPasting } = pending;
  while (rest !== "") {
    const taken = isPasting ? takePasted(rest) : takeKey(rest);
    if (taken === null) break;
    if (taken.key !== null) keys.push(taken.key);
    rest = rest.slice(taken.length);
    isPasting = taken.isPasting;
    if (taken.keeps !== undefined) {
      rest = taken.keeps;
      break;
    }
  }
  return { keys, pending: { rest, isPasting } };
};

/** After a timeout: the waiting input is complete, an Escape by itself or a broken sequence. */
export const keysAfterPause = ({
  rest,
  isPasting,
}: Pending): { readonly keys: readonly Key[]; readonly pending: Pending } => {
  if (isPasting || rest === "") return { keys: [], pending: { rest, isPasting } };
  const key: Key = rest === "\x1b" ? { kind: "command", command: "escape" } : { kind: "unknown" };
  return { keys: [key], pending: NOTHING };
};

type Taken = {
  readonly key: Key | null;
  readonly length: number;
  readonly isPasting: boolean;
  /** The rest of the input, if no more keys can be handled now. */
  readonly keeps?: string;
};

const takeKey = (input: string): Taken | null => {
  const text = TEXT.exec(input)?.[0];
  if (text !== undefined) return { key: { kind: "text", text }, length: text.length, isPasting: false };
  if (CUT_OFF.test(input) && input.length < MOST_SEQUENCE) return null;
  const sequence = WHOLE.exec(input)?.[0];
  if (sequence === undefined || sequence.length > MOST_SEQUENCE) {
    const { length } = sequence ?? BROKEN.exec(input)?.[0] ?? input;
    return { key: { kind: "unknown" }, length, isPasting: false };
  }
  if (sequence === PASTE_BEGINS) return { key: null, length: sequence.length, isPasting: true };
  if (sequence === "\x1b")
    return { key: { kind: "command", command: "escape" }, length: sequence.length, isPasting: false };
  const command = Object.hasOwn(COMMANDS, sequence) ? COMMANDS[sequence] : undefined;
  const key: Key = command === undefined ? { kind: "unknown" } : { kind: "command", command };
  return { key, length: sequence.length, isPasting: false };
};

/** Line breaks become newlines; those at the end of the pasted text are dropped. */
const takePasted = (input: string): Taken => {
  const end = input.indexOf(PASTE_ENDS);
  if (end >= 0) {
    const text = withNewlines(input.slice(0, end - breaksBefore(input, end)));
    const key: Key | null = text === "" ? null : { kind: "pasted", text };
    return { key, length: end + PASTE_ENDS.length, isPasting: false };
  }
  const keptBack = Math.min(endKeptBack(input), MOST_KEPT_BACK);
  const text = withNewlines(input.slice(0, input.length - keptBack));
  const keeps = input.slice(input.length - keptBack);
  return { key: text === "" ? null : { kind: "pasted", text }, length: input.length, isPasting: true, keeps };
};

const withNewlines = (text: string): string => text.replace(/\r\n?/g, "\n");

/** The length of the end that may be trailing line breaks of the paste, or the beginning of the sequence that ends it. */
const endKeptBack = (input: string): number => {
  let kept = 0;
  for (let length = 1; length < PASTE_ENDS.length; length++)
    if (input.endsWith(PASTE_ENDS.slice(0, length))) kept = length;
  return kept + breaksBefore(input, input.length - kept);
};

const breaksBefore = (text: string, end: number): number => {
  let start = end;
  while (start > 0 && /[\r\n]/.test(text.charAt(start - 1))) start--;
  return end - start;
};
