// Splits a command line into words with the quoting of sh(1), without any expansion.
import { UsageError } from "../../commands/flags.ts";

/** The parts of a command line: blanks, a quoted part, a character after a backslash, or a plain character. */
const PART = /\s+|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\])/gsy;

/** The words of a command line. Throws UsageError, with `option` named, if a quote is not closed or there is no word. */
export const shellWords = (option: string, text: string): readonly [string, ...string[]] => {
  const words: string[] = [];
  let current: string | null = null;
  let end = 0;
  for (const match of text.matchAll(PART)) {
    const [whole, single, double, escaped, plain] = match;
    end = match.index + whole.length;
    const part: string | undefined = single ?? double?.replace(/\\([$`"\\\n])/g, "$1") ?? escaped ?? plain;
    if (part !== undefined) {
      current = (current ?? "") + part;
    } else if (current !== null) {
      words.push(current);
      current = null;
    }
  }
  if (end < text.length) throw new UsageError(`${option} ${text}: unclosed quote`);
  if (current !== null) words.push(current);
  const [first, ...rest] = words;
  if (first === undefined) throw new UsageError(`${option} requires a command`);
  return [first, ...rest];
};
