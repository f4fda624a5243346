// GNU-style options read by a table: `-n 3`, `-n3`, `-n` in a cluster, `--number 3`, `--number=3`, and `--` to end them.
// crank's own flags are Go-style (commands/flags.ts); these are for the front ends with GNU-style options.
import { flagLines } from "../commands/flag-help.ts";
import { type Placement, UsageError } from "../commands/flags.ts";

/** One option. `argument`: the name of its value in the help; without one it has no value. `repeats`: may be given more than once. */
export type Option = {
  readonly short?: string;
  readonly argument?: string;
  readonly repeats?: true;
  /** One sentence for the help, without a full stop. */
  readonly help: string;
};
/** Options by their long names, without dashes, in the order of the help. */
export type OptionTable = Readonly<Record<string, Option>>;

/** The given options by long name: their values, in order; an option without a value has "". */
export type Given<T extends OptionTable> = { readonly [K in keyof T]?: readonly [string, ...string[]] };

/** A second use of an option that does not repeat: an error (Rust's getopts), or the last one is used (Ruby's OptionParser). */
export type Again = "wrong" | "last";

/** Reads `args` by `table`. Throws UsageError. */
export const parseOptions = <T extends OptionTable>(
  table: T,
  args: readonly string[],
  placement: Placement,
  again: Again = "wrong",
): { readonly given: Given<T>; readonly operands: readonly string[] } => {
  const given: Record<string, [string, ...string[]]> = {};
  const operands: string[] = [];
  const queue = [...args];
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    if (arg === "--") break;
    if (!arg.startsWith("-") || arg === "-") {
      operands.push(arg);
      if (placement === "first") break;
      continue;
    }
    if (arg.startsWith("--")) takeLong({ table, given, again }, arg.slice(2), queue);
    else takeCluster({ table, given, again }, arg.slice(1), queue);
  }
  // `given` has only names of the table, each put there with at least one value.
  return { given: given as Given<T>, operands: [...operands, ...queue] };
};

type Store = {
  readonly table: OptionTable;
  readonly given: Record<string, [string, ...string[]]>;
  readonly again: Again;
};

const takeLong = (into: Store, text: string, queue: string[]): void => {
  const { table } = into;
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  const option = Object.hasOwn(table, name) ? table[name] : undefined;
  if (!option) throw new UsageError(`Unrecognized option: '${name}'`);
  if (option.argument === undefined && equals >= 0) throw new UsageError(`Option '${name}' does not take an argument`);
  const value = equals < 0 ? valueFor(option, name, queue) : text.slice(equals + 1);
  store(into, option, name, name, value);
};

/** `-mvn3` is `-m -v -n 3`. */
const takeCluster = (into: Store, text: string, queue: string[]): void => {
  const letters = [...text];
  for (let letter = letters.shift(); letter !== undefined; letter = letters.shift()) {
    const found = Object.entries(into.table).find(([, option]) => option.short === letter);
    if (!found) throw new UsageError(`Unrecognized option: '${letter}'`);
    const [name, option] = found;
    if (option.argument === undefined) {
      store(into, option, name, letter, "");
      continue;
    }
    const value = letters.length > 0 ? letters.join("") : valueFor(option, letter, queue);
    return store(into, option, name, letter, value);
  }
};

const valueFor = (option: Option, shown: string, queue: string[]): string => {
  if (option.argument === undefined) return "";
  const value = queue.shift();
  if (value === undefined) throw new UsageError(`Argument to option '${shown}' missing`);
  return value;
};

const store = ({ given, again }: Store, option: Option, name: string, shown: string, value: string): void => {
  const before = given[name];
  if (before === undefined || (again === "last" && !option.repeats)) given[name] = [value];
  else if (option.repeats) before.push(value);
  else throw new UsageError(`Option '${shown}' given more than once`);
};

/** The column in which the help of an option begins. */
const COLUMN = 30;

/** The options, one per line, wrapped to 80 columns. */
export const optionHelp = (table: OptionTable): string =>
  Object.entries(table)
    .map(([name, option]) => {
      const short = option.short === undefined ? "    " : `-${option.short}, `;
      const label = `${short}--${name}${option.argument === undefined ? "" : ` ${option.argument}`}`;
      return flagLines(label, `${option.help}${option.repeats ? " (may repeat)" : ""}`, COLUMN);
    })
    .join("\n");
