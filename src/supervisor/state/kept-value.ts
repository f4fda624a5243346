// Crank's own values, read back as JSON from the journal.
import { ANSWER_LISTS, JsonTooDeepError, parseJson } from "../../control/json.ts";

/**
 * The value of a journal text. The journal is private to crank and checksummed, and its version was checked, so the
 * value is the one that was written. Only depth and size are checked, because `crankctl adopt -dry-run` reads journals
 * of other users. Throws.
 */
// biome-ignore lint/suspicious/noExplicitAny: the one place where texts become typed values again
export const keptValue = (text: string): any => {
  const value = parsed(text);
  if (value === undefined) throw new SyntaxError("a value is no JSON");
  return value;
};

const parsed = (text: string): unknown => {
  try {
    return parseJson(text, ANSWER_LISTS);
  } catch (error) {
    if (!(error instanceof JsonTooDeepError)) throw error;
    throw new SyntaxError(`a value ${error.reason}`);
  }
};
