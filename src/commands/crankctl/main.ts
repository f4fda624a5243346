// crankctl's command line: chooses the command, runs it, and maps its result to the exit status.
import {
  CallError,
  ConnectError,
  ConnectionLostError,
  type ControlAddress,
  RequestTooLongError,
} from "../../control/client.ts";
import { VERSION } from "../../version.ts";
import { helpText } from "../flag-help.ts";
import { nearest, parseFlags, UsageError, withAdvice } from "../flags.ts";
import { type Output, OutputError } from "../output.ts";
import { noServiceText } from "../services.ts";
import { escapeControls, safeJson } from "../terminal.ts";
import type { Action, Command } from "./command.ts";
import { apply, config, diff } from "./config/commands.ts";
import { reload, rollback, run } from "./deploy/commands.ts";
import { helpCommand, version } from "./help.ts";
import { adopt } from "./service/adopt.ts";
import { history, info, shutdown, status } from "./service/commands.ts";
import { ls } from "./service/ls.ts";
import { upgrade } from "./service/upgrade.ts";
import { COMMON_FLAGS, type CommonFlags, controlAddress, directoriesOf, type Environment, Session } from "./session.ts";
import { completion } from "./shells/command.ts";
import { events, logs } from "./streams/commands.ts";
import { watch } from "./watch/command.ts";
import { kill, ps, scale } from "./workers/commands.ts";

/** Every command, in the order in which the help lists them. */
export const COMMANDS: readonly Command[] = [
  run,
  apply,
  diff,
  config,
  reload,
  rollback,
  history,
  scale,
  ps,
  status,
  ls,
  watch,
  info,
  kill,
  events,
  logs,
  upgrade,
  shutdown,
  adopt,
  completion,
  helpCommand((name) => helpOf(name)),
  version,
];

/** crankctl's exit statuses. */
export const EXIT = { done: 0, failed: 1, wrongUsage: 2, noCrank: 3 } as const;

/** The result of parsing: a command for the service that `flags` name, or a text to print. */
export type Plan =
  | {
      readonly kind: "act";
      /** `crankctl ps`. */
      readonly label: string;
      readonly flags: CommonFlags;
      readonly action: Action;
      /** It finds the services itself: no service needs to be named. */
      readonly findsServices: boolean;
    }
  | { readonly kind: "say"; readonly text: string };

/** The flags that may stand before the command. */
export const TOP_FLAGS = {
  ...COMMON_FLAGS,
  version: { kind: "switch", help: "print crankctl's version and exit" },
} as const;

/** The help text of a command; that of crankctl without one. Throws UsageError. */
const helpOf = (name: string | undefined): string => {
  if (name === undefined) return topHelp();
  const found = COMMANDS.find((command) => command.name === name);
  if (found === undefined) throw new UsageError(unknownCommand(name));
  const prepared = found.prepare(["-help"], {});
  return "help" in prepared ? prepared.help : "";
};

/** Reads a command line. Throws UsageError, whose message says which command it is about. */
export const planFor = (args: readonly string[], environment: Environment): Plan => {
  const before = labelled("crankctl", () => parseFlags(TOP_FLAGS, args));
  if (before.help) return { kind: "say", text: topHelp() };
  if (before.flags.version === true) return { kind: "say", text: `crankctl ${VERSION}\n` };
  const [name, ...rest] = before.operands;
  if (name === undefined) throw new UsageError("crankctl: command: missing");
  const found = COMMANDS.find((command) => command.name === name);
  if (found === undefined) throw new UsageError(`crankctl: ${unknownCommand(name)}`);
  const inFront = args.slice(0, args.length - before.operands.length).filter((arg) => arg !== "--");
  const prepared = labelled(`crankctl ${name}`, () => found.prepare([...inFront, ...rest], environment));
  return "help" in prepared
    ? { kind: "say", text: prepared.help }
    : { kind: "act", label: `crankctl ${name}`, ...prepared };
};

const labelled = <T>(label: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${label}: ${error.message}`, { cause: error });
    throw error;
  }
};

const labelledLater = async <T>(label: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${label}: ${error.message}`, { cause: error });
    throw error;
  }
};

/** What is said of a service that has no control socket; null: nothing but that. */
const explainMissing = async (flags: CommonFlags, environment: Environment): Promise<string | null> => {
  if (flags.ctl !== undefined || flags.name === undefined) return null;
  return await noServiceText(flags.name, directoriesOf(flags, environment));
};

export type Surroundings = {
  /** What messages begin with, `crankctl ps`. */
  readonly label: string;
  readonly out: Output;
  readonly err: Output;
  /** Explains that there is no such service; null: the error says enough. */
  readonly missing?: () => Promise<string | null>;
};

/** Runs the prepared command on the crank at `address`, and returns the exit status. Failures are printed on `err`. */
export const act = async (
  action: Action,
  address: ControlAddress,
  flags: CommonFlags,
  { label, out, err, missing }: Surroundings,
): Promise<number> => {
  const isJson = flags.json === true;
  try {
    return await action(new Session(address, isJson, out, err, label));
  } catch (error) {
    const reason = failure(error) ?? strangeAnswer(error);
    if (reason === null) throw error;
    if (isJson && error instanceof CallError) out.write(`${safeJson({ error: error.rpc })}\n`);
    const isMissing = error instanceof ConnectError && error.code === "ENOENT";
    const explained = isMissing ? await missing?.() : null;
    err.write(`${escapeControls(`${label}: ${explained ? `couldn't connect: ${explained}` : reason.message}`)}\n`);
    return reason.status;
  }
};

const failure = (error: unknown): { message: string; status: number } | null => {
  if (error instanceof ConnectError) return { message: `couldn't connect: ${error.message}`, status: EXIT.noCrank };
  if (FAILURES.some((kind) => error instanceof kind) && error instanceof Error)
    return { message: error.message, status: EXIT.failed };
  return error instanceof OutputError ? { message: error.message, status: EXIT.failed } : null;
};

/** An answer that violates the protocol is not from a crank. */
const strangeAnswer = (error: unknown): { message: string; status: number } | null =>
  error instanceof TypeError || error instanceof RangeError
    ? {
        message: "control socket: the answer is not one of crank. Check which program listens there.",
        status: EXIT.failed,
      }
    : null;

const FAILURES = [CallError, ConnectionLostError, RequestTooLongError] as const;

/** For commands that find the services themselves. */
const NOWHERE: ControlAddress = { kind: "unix", path: "" };

/** crankctl as a program. */
export const crankctl = async (
  args: readonly string[],
  environment: Environment,
  out: Output,
  err: Output,
): Promise<number> => {
  try {
    if (args.length === 0) {
      err.write(topHelp());
      return EXIT.wrongUsage;
    }
    const plan = planFor(args, environment);
    if (plan.kind === "act") {
      const address = plan.findsServices
        ? NOWHERE
        : await labelledLater("crankctl", () => controlAddress(plan.flags, environment));
      const missing = () => explainMissing(plan.flags, environment);
      return await act(plan.action, address, plan.flags, { label: plan.label, out, err, missing });
    }
    out.write(plan.text);
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    err.write(usageMessage(error));
    return EXIT.wrongUsage;
  }
};

/** The message for wrong usage. */
export const usageMessage = (error: UsageError): string => {
  const about = /^[\w ]+/.exec(error.message)?.[0] ?? "crankctl";
  return `${escapeControls(withAdvice(error.message, about))}\n`;
};

const unknownCommand = (name: string): string => {
  const names = COMMANDS.map((command) => command.name);
  const near = Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name] : nearest(name, names);
  const meant = COMMANDS.find((command) => command.name === near);
  const advice = meant === undefined ? "'crankctl help' lists them." : `Did you mean ${meant.name} (${meant.summary})?`;
  return `${JSON.stringify(name)}: no such command. ${advice}`;
};

/** What other programs call the commands. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  restart: "reload",
  stop: "shutdown",
  start: "run",
  deploy: "run",
  list: "ls",
  top: "watch",
  log: "logs",
};

const topHelp = (): string =>
  helpText({
    usage: ["crankctl [flags] COMMAND [flags]", "crankctl COMMAND -help"],
    about: ["Deploys to a running crank, and shows its state."],
    list: { heading: "Commands", rows: COMMANDS.map((command) => [command.name, command.summary] as const) },
    flags: TOP_FLAGS,
    examples: ["crankctl run -wait -- node server.js", "crankctl status", "crankctl help run"],
    after: [
      "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no crank at the control socket, 130 interrupted while waiting for a rollout.",
    ],
  });
