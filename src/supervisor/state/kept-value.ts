// Values of crank's own that come back as JSON out of the journal.
import { ANSWER_LISTS, JsonTooDeepError, parseJson } from "../../control/json.ts";

/**
 * What a text of the journal says. The journal is private to crank and checksummed, and its version was compared: what comes
 * out is what was put in. Only its depth and size are looked at, since `crankctl adopt -dry-run` reads journals of other users. Throws.
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
