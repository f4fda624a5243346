// Files of environment variables, in the syntax of Docker's env files: NAME=VALUE lines, comments, `export`, quotes.
// Variables in values are not replaced.

/** The text of an env file is wrong. `message`: `FILE:LINE: sentence`. */
export class EnvFileError extends Error {
  override readonly name = "EnvFileError";
  readonly code = "envFile";
}

export type Variables = Readonly<Record<string, string>>;

/** Reads the variables; the last of a name counts. `file` is its name in errors. Throws EnvFileError. */
export const readEnvFile = (file: string, bytes: Uint8Array): Variables => {
  const variables = new Map<string, string>();
  for (const [index, line] of textOf(file, bytes).split(/\r?\n/).entries()) {
    const text = line.trim();
    if (text === "" || text.startsWith("#")) continue;
    const entry = entryOf(text);
    // The line is not shown: it may be a secret.
    if (typeof entry === "string") throw new EnvFileError(`${file}:${index + 1}: ${entry}`);
    variables.set(entry.name, entry.value);
  }
  return Object.fromEntries(variables);
};

const textOf = (file: string, bytes: Uint8Array): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new EnvFileError(`${file} is not UTF-8`, { cause: error });
  }
};

type Entry = { readonly name: string; readonly value: string };

/** A line's variable, or what is wrong with it. */
const entryOf = (text: string): Entry | string => {
  const [, name, rest] = /^(?:export\s+)?([^\s=#'"]+)\s*=\s*(.*)$/.exec(text) ?? [];
  if (name === undefined || rest === undefined) return "not NAME=VALUE; for an empty value write NAME=";
  const value = unquoted(rest);
  return value === null ? `the value of ${name} has no closing quote, or text behind it` : { name, value };
};

/** Null: a quote is not closed, or there is text behind it. A value ends in its line. */
const unquoted = (text: string): string | null => {
  const quote = text[0];
  if (quote !== '"' && quote !== "'") return text.replace(/(?:^|\s)#.*$/, "").trimEnd();
  const pattern = quote === '"' ? /^"((?:\\.|[^"\\])*)"\s*(?:#.*)?$/ : /^'([^']*)'\s*(?:#.*)?$/;
  const inner = pattern.exec(text)?.[1];
  if (inner === undefined) return null;
  return quote === '"' ? inner.replace(/\\(.)/g, (whole, escaped: string) => ESCAPES[escaped] ?? whole) : inner;
};

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\", $: "$" };
