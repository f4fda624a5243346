// Bounded JSON from others: each level and each list costs many times the byte that it is sent in, and deep nesting overflows
// the stack of recursive code.

/** How deep lists and objects may nest. Crank's own values are far from this limit. */
export const MOST_DEPTH = 32;

/** How many lists and objects a text may have: a request has at most one for each stop step, and a few more. */
export const REQUEST_LISTS = 256;
/** The longest answer is the status of 1000 workers; no file is longer. */
export const ANSWER_LISTS = 1_000_000;

/** The value of a text; undefined if it is not JSON. The text `null` is a value too. Throws JsonTooDeepError. */
export const parseJson = (text: string, mostLists: number): unknown => {
  const opened = openedIn(text, Math.min(mostLists, BUILT_UNREAD));
  const isRead = opened > mostLists || opened > BUILT_UNREAD;
  if (isRead && isTooDeep(text, mostLists)) throw new JsonTooDeepError(mostLists);
  const value = built(text);
  if (!isRead && opened > MOST_DEPTH && isDeeperThan(value, MOST_DEPTH)) throw new JsonTooDeepError(mostLists);
  return value;
};

/** This many lists and objects are cheap at any depth; only longer texts are checked before parsing. */
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

/** The same, but a text that nests too deep counts as not JSON. */
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
  /** Completes a sentence that begins with "the line …" or another subject. */
  readonly reason: string;

  constructor(mostLists: number) {
    const reason = `nests deeper than ${MOST_DEPTH} levels, or has more than ${mostLists} lists and objects`;
    super(`the line ${reason}`);
    this.reason = reason;
  }
}

/** Scans the brackets outside of strings, and stops at the limit. */
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

/** The index after the quote that ends the string that begins at `from`. */
const endOfString = (text: string, from: number): number => {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    let escapes = at;
    while (escapes > from && text[escapes - 1] === "\\") escapes--;
    if ((at - escapes) % 2 === 0) return at + 1;
  }
  return text.length;
};

/** An upper bound for the number of lists and objects, by a native search that includes strings; it stops after `enough`. */
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
