// The shape of a crankctl command, and how its arguments are parsed.
import { helpText } from "../flag-help.ts";
import { type FlagTable, type FlagValues, type Placement, parseFlags, UsageError } from "../flags.ts";
import { COMMON_FLAGS, type CommonFlags, type Environment, type Session } from "./session.ts";

/** Runs it, and returns the exit status. */
export type Action = (session: Session) => Promise<number>;

/** What the arguments behind the flags are, for completion. */
export type Operands = "services" | "commands" | "shells" | "command";

type Definition<T extends FlagTable> = {
  readonly name: string;
  /** For the list of commands: a few words. */
  readonly summary: string;
  /** The command line after the name, `[flags] N`. */
  readonly usage: string;
  readonly about: readonly string[];
  /** Command lines for -help. */
  readonly examples: readonly string[];
  readonly flags: T;
  /** `first` if the arguments are a command line of their own. */
  readonly placement: Placement;
  /** It finds the services itself: no service needs to be named, and `session.address` is ignored. */
  readonly findsServices?: true;
  /** What its arguments are; missing: it has none, or they cannot be completed. */
  readonly operands?: Operands;
  /** Checks flags and arguments. Throws UsageError. */
  readonly prepare: (flags: FlagValues<T>, operands: readonly string[], common: Common) => Action;
};

/** The input of every command besides its own flags. */
type Common = { readonly flags: CommonFlags; readonly environment: Environment };

export type Prepared =
  | { readonly flags: CommonFlags; readonly action: Action; readonly findsServices: boolean }
  | { readonly help: string };

/** A command with any flags. */
export type Command = {
  readonly name: string;
  readonly summary: string;
  /** Its own flags and the common ones. */
  readonly flags: FlagTable;
  readonly placement: Placement;
  readonly operands: Operands | undefined;
  readonly prepare: (args: readonly string[], environment: Environment) => Prepared;
};

/** Creates a command from its definition: parses its flags, and shows them for -help. */
export const command = <const T extends FlagTable>(definition: Definition<T>): Command => {
  const { name, summary, placement, operands } = definition;
  const flags = { ...definition.flags, ...COMMON_FLAGS };
  const prepare = (args: readonly string[], environment: Environment): Prepared => {
    const parsed = parseFlags<FlagTable>(flags, args, environment, placement);
    if (parsed.help)
      return {
        help: helpText({
          usage: [`crankctl ${name} ${definition.usage}`.trimEnd()],
          about: definition.about,
          flags,
          examples: definition.examples,
        }),
      };
    // Both were parsed with a table that has their flags.
    const own = parsed.flags as FlagValues<T>;
    const common = parsed.flags as CommonFlags;
    const action = definition.prepare(own, parsed.operands, { flags: common, environment });
    return { flags: common, action, findsServices: definition.findsServices === true };
  };
  return { name, summary, flags, placement, operands, prepare };
};

/** For commands that take flags only. `instead`: the flag whose value a number was meant to be. Throws UsageError. */
export const refuseOperands = (operands: readonly string[], instead?: string): void => {
  const [first] = operands;
  if (first === undefined) return;
  const isNumber = /^\d+$/.test(first);
  const flag = isNumber ? instead : /^[\w.-]+$/.test(first) ? "-name" : undefined;
  const purpose = isNumber ? "" : " for a service of this name";
  const advice = flag === undefined ? "" : `. Write ${flag} ${first}${purpose}.`;
  throw new UsageError(`${JSON.stringify(first)}: unexpected argument${advice}`);
};
