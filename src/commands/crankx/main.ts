// crankx's command line: which services, and the crankctl command for each.
import { VERSION } from "../../version.ts";
import { EXIT, planFor, usageMessage } from "../crankctl/main.ts";
import { directoriesOf, type Environment } from "../crankctl/session.ts";
import { helpText } from "../flag-help.ts";
import { type FlagTable, parseFlags, UsageError } from "../flags.ts";
import type { Output } from "../output.ts";
import { findServices, type Service } from "../services.ts";
import { escapeControls } from "../terminal.ts";
import { walk } from "./walk.ts";

export const CRANKX_FLAGS = {
  parallel: { kind: "whole", argument: "N", min: 1, max: 1000, help: "how many services at once (1)" },
  "keep-going": { kind: "switch", help: "continue with the other services when one fails" },
  prefix: {
    kind: "text",
    argument: "DIR",
    environment: "CRANK_PREFIX",
    help: "directory of the services' files, if not in the default directories",
  },
  version: { kind: "switch", help: "print the version and exit" },
} as const satisfies FlagTable;

/** crankx as a program. */
export const crankx = async (
  args: readonly string[],
  environment: Environment,
  out: Output,
  err: Output,
): Promise<number> => {
  try {
    return await perform(args, environment, out, err);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    err.write(usageMessage(error));
    return EXIT.wrongUsage;
  }
};

const perform = async (
  args: readonly string[],
  environment: Environment,
  out: Output,
  err: Output,
): Promise<number> => {
  const { flags, operands, help } = ownFlags(args, environment);
  const [prefix, ...rest] = operands;
  if (!help && flags.version === true) {
    out.write(`crankx ${VERSION}\n`);
    return EXIT.done;
  }
  if (help || prefix === undefined || prefix === "") {
    out.write(helpPage());
    return help ? EXIT.done : EXIT.failed;
  }
  // crankx selects the service, not the environment.
  const plan = planFor(rest, { ...environment, CRANK_CTL: undefined, CRANK_NAME: undefined, CRANK_PREFIX: undefined });
  if (plan.kind === "say") {
    out.write(plan.text);
    return EXIT.done;
  }
  if (plan.findsServices)
    throw new UsageError(`crankx: ${rest[0]}: it finds the services itself. Use crankctl ${rest[0]}.`);
  for (const flag of ["ctl", "name", "prefix"] as const) {
    if (plan.flags[flag] !== undefined)
      throw new UsageError(`crankx: -${flag}: not allowed, because PREFIX selects the services. Omit it.`);
  }
  const services = servicesOf(prefix, directoriesOf(flags, environment));
  if (typeof services === "string") {
    err.write(`crankx: ${escapeControls(services)}\n`);
    return EXIT.failed;
  }
  const { parallel = 1, "keep-going": keepGoing = false } = flags;
  return await walk(services, { plan, parallel, keepGoing, out, err });
};

const ownFlags = (args: readonly string[], environment: Environment) => {
  try {
    return parseFlags(CRANKX_FLAGS, args, environment);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`crankx: ${error.message}`, { cause: error });
    throw error;
  }
};

/** The services, or why there are none. */
const servicesOf = (prefix: string, directories: readonly string[]): readonly Service[] | string => {
  try {
    const services = findServices(prefix, directories);
    return services.length > 0 ? services : `no control socket begins with ${prefix}`;
  } catch (error) {
    return `cannot search for control sockets: ${error instanceof Error ? error.message : String(error)}`;
  }
};

const helpPage = (): string =>
  helpText({
    usage: ["crankx [flags] PREFIX CRANKCTL-ARGUMENT..."],
    about: [
      "Runs crankctl on every service whose control socket is DIR/PREFIX*.ctl, one after the other, and stops at the first failure. A PREFIX that begins with . or / is a path. The arguments after PREFIX are for crankctl; crankctl -help lists it.",
    ],
    flags: CRANKX_FLAGS,
    examples: ["crankx web- reload -wait", "crankx -keep-going -parallel 4 /run/crank/ ps", "crankx ./run/ status"],
    after: [
      "Exit status: 0 all done, 1 no PREFIX or no service of it, 2 wrong usage; else that of the first crankctl that failed.",
    ],
  });
