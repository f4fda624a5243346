// JSON from others, bounded before it is built: each level and each list of it costs many times the byte that it is sent in,
// and what is deep enough ends a recursion of whatever works on it later.

/** Limits for one text. */
export type JsonLimits = { readonly depth: number; readonly lists: number };

/** No request of ours nests deeper than 3, or has more lists and objects than its stop steps make. */
export const REQUEST_LIMITS: JsonLimits = { depth: 32, lists: 256 };
/** A fleet of 1000 workers with all that is told of each is the longest answer. */
export const ANSWER_LIMITS: JsonLimits = { depth: 32, lists: 1_000_000 };

/** What a text says; undefined if it is no JSON. `null` as a text is a value too. Throws JsonTooDeepError. */
export const parseJson = (text: string, limits: JsonLimits): unknown => {
  if (isTooDeep(text, limits)) throw new JsonTooDeepError(limits);
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The same, with a text that is too deep as one that is no JSON. */
export const parseFlatJson = (text: string, limits: JsonLimits = REQUEST_LIMITS): unknown => {
  try {
    return parseJson(text, limits);
  } catch (error) {
    if (error instanceof JsonTooDeepError) return undefined;
    throw error;
  }
};

/** A text that is not built, because it nests too deep or has too many lists and objects. */
export class JsonTooDeepError extends Error {
  override readonly name = "JsonTooDeepError";
  constructor({ depth, lists }: JsonLimits) {
    super(`the line nests deeper than ${depth} levels, or has more than ${lists} lists and objects`);
  }
}

// Almost every line has fewer brackets than levels are allowed, which native searches tell quickly; only the others
// are read bracket by bracket, strings skipped, and a line that is all brackets is given up at the limit.
const isTooDeep = (text: string, { depth: most, lists }: JsonLimits): boolean => {
  if (hasFewBrackets(text, most)) return false;
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
    if (depth > most || opened > lists) return true;
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

const hasFewBrackets = (text: string, most: number): boolean => {
  let seen = 0;
  for (const bracket of "[{") {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      if (++seen > most) return false;
    }
  }
  return true;
};
