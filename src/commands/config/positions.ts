// Where the keys of a TOML document are, for error messages. smol-toml reports positions of syntax errors only, so this
// reads the keys again. The document is valid: smol-toml has accepted it.

/** A place in a text, from 1. */
export type Position = { readonly line: number; readonly column: number };

/** The offset of each key by its path, in the order of the document. */
export type KeyOffsets = ReadonlyMap<string, number>;

/** A path of keys as one text. */
export const pathText = (path: readonly string[]): string => path.join("\0");

/** Line and column of an offset. Columns count characters. */
export const positionAt = (text: string, offset: number): Position => {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: [...before.slice(start)].length + 1 };
};

/** The first place of every key. Deeper keys than `MOST_DEPTH` are left out. */
export const keyOffsets = (text: string): KeyOffsets => {
  const offsets = new Map<string, number>();
  const note = (table: readonly string[], words: readonly Word[]): readonly string[] => {
    const path = [...table];
    for (const { name, start } of words) {
      path.push(name);
      if (path.length > MOST_DEPTH) continue;
      const key = pathText(path);
      if (!offsets.has(key)) offsets.set(key, start);
    }
    return path;
  };
  let table: readonly string[] = [];
  for (let at = skipBlank(text, 0); at < text.length; at = skipBlank(text, at)) {
    if (text[at] === "[") {
      const brackets = text[at + 1] === "[" ? 2 : 1;
      const key = readKey(text, skipSpaces(text, at + brackets));
      table = note([], key.words);
      at = key.end + brackets;
      continue;
    }
    const key = readKey(text, at);
    at = readValue(text, skipSpaces(text, key.end + 1), note(table, key.words), note);
  }
  return offsets;
};

/** A part of a dotted key. */
type Word = { readonly name: string; readonly start: number };
/** Notes a key in a table, and returns its whole path. */
type Note = (table: readonly string[], words: readonly Word[]) => readonly string[];

/** A key of a map in a service: `service`, its name, `env`, the variable. */
const MOST_DEPTH = 4;

const BLANK = /(?:[ \t\r\n\ufeff]|#[^\n]*)*/y;
const SPACES = /[ \t]*/y;
const BARE = /[A-Za-z0-9_-]+/y;
/** A number, a date or a boolean. A date may have a space in it. */
const PLAIN = /[^,\]}#\r\n]*/y;
const STRING = /"""(?:\\[\s\S]|[^\\])*?"{3,5}|'''[\s\S]*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'/y;

/** The end of what `pattern` matches at an offset. */
const endOf = (pattern: RegExp, text: string, at: number): number => {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
};

const skipBlank = (text: string, at: number): number => endOf(BLANK, text, at);
const skipSpaces = (text: string, at: number): number => endOf(SPACES, text, at);

/** A dotted key, and the offset of what follows it. */
const readKey = (text: string, start: number): { readonly words: readonly Word[]; readonly end: number } => {
  const words: Word[] = [];
  for (let at = start; ; at = skipSpaces(text, at + 1)) {
    const end = endOf(isQuote(text[at]) ? STRING : BARE, text, at);
    words.push({ name: unquoted(text.slice(at, end)), start: at });
    at = skipSpaces(text, end);
    if (text[at] !== "." || end === start) return { words, end: at };
  }
};

const isQuote = (character: string | undefined): boolean => character === '"' || character === "'";

const unquoted = (word: string): string => {
  if (!isQuote(word[0])) return word;
  const inner = word.slice(1, -1);
  if (word[0] === "'" || !inner.includes("\\")) return inner;
  try {
    return String(JSON.parse(word));
  } catch {
    // An escape that JSON does not have: the key gets the position of its table.
    return inner;
  }
};

/** Notes the keys of inline tables. Returns the end of the value. */
const readValue = (text: string, start: number, path: readonly string[], note: Note): number => {
  if (text[start] !== "{") return skipValue(text, start);
  let at = skipBlank(text, start + 1);
  while (at < text.length && text[at] !== "}") {
    const key = readKey(text, at);
    const inner = note(path, key.words);
    const value = skipSpaces(text, key.end + 1);
    at = inner.length < MOST_DEPTH ? readValue(text, value, inner, note) : skipValue(text, value);
    at = skipBlank(text, at);
    if (text[at] === ",") at = skipBlank(text, at + 1);
  }
  return at + 1;
};

const skipValue = (text: string, start: number): number => {
  let depth = 0;
  let at = start;
  do {
    const character = text[at];
    if (isQuote(character)) at = endOf(STRING, text, at);
    else if (character === "[" || character === "{") {
      depth += 1;
      at += 1;
    } else if (character === "]" || character === "}") {
      depth -= 1;
      at += 1;
    } else if (depth > 0 && (character === "," || character === "=")) at += 1;
    else at = Math.max(endOf(PLAIN, text, at), depth > 0 ? at : at + 1);
    if (depth > 0) at = skipBlank(text, at);
  } while (depth > 0 && at < text.length);
  return at;
};
