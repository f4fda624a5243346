// Bounded JSON from others: each level and each list costs many times the byte that it is sent in, and deep nesting overflows
// the stack of recursive code.

/** How deep lists and objects may nest, whatever the text is. Far deeper than anything of ours. */
export const MOST_DEPTH = 32;

/** How many lists and objects a text may have: no request of ours has more than its stop steps make. */
export const REQUEST_LISTS = 256;
/** The longest answer is the status of 1000 workers; no file is longer. */
export const ANSWER_LISTS = 1_000_000;

/** What a text says; undefined if it is no JSON. `null` as a text is a value too. Throws JsonTooDeepError. */
export const parseJson = (text: string, mostLists: number): unknown => {
  const opened = openedIn(text, Math.min(mostLists, BUILT_UNREAD));
  const isRead = opened > mostLists || opened > BUILT_UNREAD;
  if (isRead && isTooDeep(text, mostLists)) throw new JsonTooDeepError(mostLists);
  const value = built(text);
  if (!isRead && opened > MOST_DEPTH && isDeeperThan(value, MOST_DEPTH)) throw new JsonTooDeepError(mostLists);
  return value;
};

/** This many lists and objects are cheap, however they nest; only longer texts are checked before parsing. */
const BUILT_UNREAD = 5000;

const built = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const isDeeperThan = (value: unknown, levels: number): boolean => {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const item of Object.values(value))
    if (typeof item === "object" && item !== null && isDeeperThan(item, levels - 1)) return true;
  return false;
};

/** The same, with a text that is too deep as one that is no JSON. */
export const parseFlatJson = (text: string, mostLists = REQUEST_LISTS): unknown => {
  try {
    return parseJson(text, mostLists);
  } catch (error) {
    if (error instanceof JsonTooDeepError) return undefined;
    throw error;
  }
};

/** A text that is refused because it nests too deep or has too many lists and objects. */
export class JsonTooDeepError extends Error {
  override readonly name = "JsonTooDeepError";
  /** Completes "the line …", or whatever the text is. */
  readonly reason: string;

  constructor(mostLists: number) {
    const reason = `nests deeper than ${MOST_DEPTH} levels, or has more than ${mostLists} lists and objects`;
    super(`the line ${reason}`);
    this.reason = reason;
  }
}

/** Reads bracket by bracket, strings skipped; a text that is all brackets is given up at the limit. */
const isTooDeep = (text: string, mostLists: number): boolean => {
  const token = /["[{\]}]/g;
  let depth = 0;
  let opened = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    if (match[0] === '"') {
      token.lastIndex = endOfString(text, match.index + 1);
      continue;
    }
    const opens = match[0] === "[" || match[0] === "{";
    depth += opens ? 1 : -1;
    opened += opens ? 1 : 0;
    if (depth > MOST_DEPTH || opened > mostLists) return true;
  }
  return false;
};

/** The index behind the quote that ends the string that begins at `from`. */
const endOfString = (text: string, from: number): number => {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    let escapes = at;
    while (escapes > from && text[escapes - 1] === "\\") escapes--;
    if ((at - escapes) % 2 === 0) return at + 1;
  }
  return text.length;
};

/** How many lists and objects a text has at most, by what the native search sees, strings included; it stops behind `enough`. */
const openedIn = (text: string, enough: number): number => {
  let seen = 0;
  for (const bracket of "[{") {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      seen += 1;
      if (seen > enough) return seen;
    }
  }
  return seen;
};
