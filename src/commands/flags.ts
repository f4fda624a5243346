// Go-style flags read by a table: one dash or two, `-f v` or `-f=v`, until the first argument that is not a flag or `--`. The same
// table generates the help text (flag-help.ts), and a test compares it with the manual pages.
import type { Kind } from "../spec/kinds.ts";
import { readChoice, readSeconds, readWhole, ValueError } from "../spec/numbers.ts";
import { readValue as readSetting, repeats } from "../spec/read.ts";

type FlagBase = {
  /** One sentence without a full stop; the help text wraps it. */
  readonly help: string;
  /** Heading under which -help lists it; "" is the first, unnamed group. */
  readonly group?: string;
  /** Environment variable that is used if the flag is not given; an empty one counts as unset. */
  readonly environment?: string;
};
type Argument = { /** What -help calls the value, `SEC`. */ readonly argument: string };

/**
 * A flag by the value that it takes. `switch`: none (`-f=false` turns it off). `texts`: may repeat, all are kept;
 * any other kind may repeat too, and the last one counts. `whole`: an integer. `seconds`: with fractions or a unit (`5m`), read as ms.
 * `min` (default 0) and `max` limit the number as written; a null `min` permits negative numbers. `setting`: by a row of
 * src/spec/fields.ts; all entries of a map are kept.
 */
export type Flag = FlagBase &
  (
    | { readonly kind: "switch" }
    | ({ readonly kind: "text" | "texts" } & Argument)
    | ({ readonly kind: "whole" | "seconds"; readonly min?: number | null; readonly max?: number } & Argument)
    | ({ readonly kind: "choice"; readonly choices: readonly string[] } & Argument)
    | ({ readonly kind: "setting"; readonly setting: Kind } & Argument)
  );
/** Flags by their names, without dashes. */
export type FlagTable = Readonly<Record<string, Flag>>;

type ValueOf<F extends Flag> = F extends { readonly kind: "switch" }
  ? boolean
  : F extends { readonly kind: "texts" }
    ? readonly string[]
    : F extends { readonly kind: "whole" | "seconds" }
      ? number
      : F extends { readonly kind: "choice"; readonly choices: readonly (infer C)[] }
        ? C
        : F extends { readonly kind: "setting" }
          ? unknown
          : string;
/** The given values, by flag name; `seconds` are ms here. */
export type FlagValues<T extends FlagTable> = { readonly [K in keyof T]?: ValueOf<T[K]> };

export type ParsedFlags<T extends FlagTable> = {
  readonly flags: FlagValues<T>;
  /** The arguments that are not flags; with `-help` all that were not read. */
  readonly operands: readonly string[];
  /** -h or -help was given: the arguments after it were not parsed. */
  readonly help: boolean;
};

/** The command line is wrong, and the exit status is 2. `message`: `what: why`, or `what: why. What to do.` */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "usage";
}

/** The message with what to do: if it does not say that itself, the help text of `command` is named. */
export const withAdvice = (message: string, command: string): string =>
  /[.?]$/.test(message) ? message : `${message}. Try '${command} -help'.`;

/** Where flags may stand: until the first operand (as in Go), or also between operands. */
export type Placement = "first" | "anywhere";

/** Parses `args` with `table`, and takes missing flags from `env`. Throws UsageError, which names the flag. */
export const parseFlags = <T extends FlagTable>(
  table: T,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
  placement: Placement = "first",
): ParsedFlags<T> => {
  const values: Record<string, unknown> = {};
  const operands: string[] = [];
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") {
      at++;
      break;
    }
    if (!isFlag(arg)) {
      if (placement === "first") break;
      operands.push(arg);
      continue;
    }
    const { name, given } = split(arg);
    const flag = Object.hasOwn(table, name) ? table[name] : undefined;
    if (flag === undefined) {
      if (name === "h" || name === "help") return { ...finished<T>(values), operands: args.slice(at + 1), help: true };
      throw new UsageError(unknown(name, Object.keys(table)));
    }
    if (flag.kind === "switch") {
      values[name] = readSwitch(name, given ?? "true");
      continue;
    }
    const text = given ?? args[++at];
    if (text === undefined) throw new UsageError(`-${name}: its value is missing. Write -${name} ${flag.argument}.`);
    store(values, name, flag, readFlag(`-${name}`, flag, text));
  }
  operands.push(...args.slice(at));
  fillFromEnvironment(values, table, env);
  return { ...finished<T>(values), operands, help: false };
};

// `values` holds, for every name of the table, what readValue made of the flag of that name: FlagValues by construction.
const finished = <T extends FlagTable>(values: Record<string, unknown>) => ({ flags: values as FlagValues<T> });

const isFlag = (arg: string): boolean => arg.length > 1 && arg.startsWith("-");

const split = (arg: string): { name: string; given: string | undefined } => {
  const bare = arg.slice(arg.startsWith("--") ? 2 : 1);
  const equals = bare.indexOf("=");
  const name = equals < 0 ? bare : bare.slice(0, equals);
  if (name === "" || name.startsWith("-"))
    throw new UsageError(
      `${JSON.stringify(arg)}: not a flag. Flags have one dash or two; arguments that begin with a dash follow --.`,
    );
  return { name, given: equals < 0 ? undefined : bare.slice(equals + 1) };
};

const fillFromEnvironment = (
  values: Record<string, unknown>,
  table: FlagTable,
  env: Readonly<Record<string, string | undefined>>,
) => {
  for (const [name, flag] of Object.entries(table)) {
    if (flag.environment === undefined || name in values) continue;
    const text = env[flag.environment];
    if (text === undefined || text === "") continue;
    if (flag.kind === "switch") values[name] = readSwitch(flag.environment, text);
    else store(values, name, flag, readFlag(flag.environment, flag, text));
  }
};

/** A flag that takes a value. */
export type ValuedFlag = Exclude<Flag, { readonly kind: "switch" }>;

const store = (values: Record<string, unknown>, name: string, flag: ValuedFlag, value: unknown) => {
  const before = values[name];
  const isKept = flag.kind === "texts" || (flag.kind === "setting" && repeats(flag.setting));
  values[name] = isKept ? [...(Array.isArray(before) ? before : []), value] : value;
};

/** The value of a flag as it is written on a command line. `label` is its name in errors. Throws UsageError. */
export const readFlag = (label: string, flag: ValuedFlag, text: string): unknown => {
  try {
    return parsedValue(label, flag, text);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
};

const parsedValue = (label: string, flag: ValuedFlag, text: string): unknown => {
  switch (flag.kind) {
    case "text":
    case "texts":
      return text;
    case "choice":
      return readChoice(label, text, flag.choices);
    case "whole":
      return readWhole(label, text, flag);
    case "seconds":
      return readSeconds(label, text, flag);
    case "setting":
      return readSetting(flag.setting, label, text);
  }
};

const readSwitch = (name: string, text: string): boolean => {
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw new UsageError(
    `-${name} ${JSON.stringify(text)}: it is a switch. Write -${name}, or -${name}=false to turn it off.`,
  );
};

const unknown = (name: string, names: readonly string[]): string => {
  if (/^\d/.test(name)) return `-${name.slice(0, 20)}: negative value not allowed`;
  const near = nearest(name, names);
  const hint = near === null ? "" : `. Did you mean -${near}?`;
  return `${/^[\w.-]+$/.test(name) ? `-${name}` : JSON.stringify(`-${name}`)}: no such flag${hint}`;
};

/** The name that was probably meant: one that begins with `typed`, or is at most two edits away; null for none. */
export const nearest = (typed: string, names: readonly string[]): string | null => {
  const begun = names.filter((name) => typed.length > 1 && name.startsWith(typed));
  if (begun.length === 1) return begun[0] ?? null;
  const allowed = typed.length < 4 ? 1 : 2;
  let best: string | null = null;
  let bestDistance = allowed + 1;
  for (const name of names) {
    const distance = Math.abs(name.length - typed.length) > allowed ? bestDistance : editDistance(typed, name);
    if (distance >= bestDistance) continue;
    best = name;
    bestDistance = distance;
  }
  return best;
};

// Insertions, deletions, replacements, and swaps of neighbours (optimal string alignment).
const editDistance = (a: string, b: string): number => {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = at(above, column - 1) + (a[row - 1] === b[column - 1] ? 0 : 1);
      let cost = Math.min(at(above, column) + 1, at(current, column - 1) + 1, replaced);
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, at(before, column - 2) + 1);
      current.push(cost);
    }
    before = above;
    above = current;
  }
  return at(above, b.length);
};

const at = (row: readonly number[], column: number): number => row[column] ?? Number.POSITIVE_INFINITY;
