// einhyrningsins' command line as settings for the supervisor.

import { UsageError } from "../../commands/flags.ts";
import { EINHYRNINGSINS_VERSION } from "../../control/dialects/einhyrningsins.ts";
import type { Spec, StopStep } from "../../core/model/spec.ts";
import { CRANK_POLICY, type Policy } from "../../core/model/state.ts";
import { DEFAULTS, emptySpec, type SpecDefaults } from "../../spec/defaults.ts";
import { type Address, AddressError, DEFAULT_OPTIONS, parseUri } from "../../supervisor/os/addresses.ts";
import type { Invocation } from "../../supervisor/state/front-end.ts";
import type { Bind, Settings } from "../../supervisor/state/settings.ts";
import { VERSION } from "../../version.ts";
import { type Given, optionHelp, parseOptions } from "../options.ts";
import { runDirectoryBeside } from "../run-directory.ts";
import { DEFAULT_SOCKET_PATH, EINHYRNINGSINS_OPTIONS } from "./options.ts";

/** How long a worker is an infant, and how far the steps of a shutdown are apart. */
const CHILDHOOD_MS = 3000;
const GRACE_MS = 3000;
const MOST_WORKERS = 1000;
const MOST_RETRIES = 1_000_000;
const LINGER_MS = 10_000;
/** More than the maximum number of workers: in an upgrade, every worker gets its successor at once. */
const NO_SURGE_LIMIT = 2 * MOST_WORKERS;
const FAILED = 255;

type Options = Given<typeof EINHYRNINGSINS_OPTIONS>;

/** The stop steps of a worker that must stop quickly. */
export const TERMINATION: readonly StopStep[] = [
  { signal: "SIGTERM", afterMs: 0 },
  { signal: "SIGKILL", afterMs: GRACE_MS },
];

/** The stop steps of a graceful shutdown. */
const SHUTDOWN: readonly StopStep[] = [
  { signal: "SIGUSR2", afterMs: 0 },
  { signal: "SIGTERM", afterMs: GRACE_MS },
  { signal: "SIGKILL", afterMs: 2 * GRACE_MS },
];

/** Every worker has its own attempts; the healthy successors of a failed upgrade stay; without workers, the master exits. */
export const POLICY: Policy = {
  ...CRANK_POLICY,
  failureStatus: 0,
  restores: false,
  attempts: "place",
  failSteps: TERMINATION,
  whenEmpty: "end",
};

/** Reads einhyrningsins' command line (without the program's name). Errors go to standard output, with status 255. */
export const einhyrningsinsInvocation = (
  args: readonly string[],
  _environment: Readonly<Record<string, string | undefined>>,
  cwd: string,
): Invocation => {
  try {
    const { given, operands } = parse(args);
    if (given.help) return say(helpPage(), 0);
    if (given.version) return say(`einhyrningsins ${EINHYRNINGSINS_VERSION} (crank ${VERSION})\n`, 0);
    return { kind: "serve", settings: settingsFrom(given, operands, cwd) };
  } catch (error) {
    if (error instanceof AddressError || error instanceof UsageError) return say(`${error.message}\n`, FAILED);
    throw error;
  }
};

const parse = (args: readonly string[]) => {
  try {
    return parseOptions(EINHYRNINGSINS_OPTIONS, args, "first");
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${error.message}\n\n${helpPage().trimEnd()}`);
    throw error;
  }
};

const say = (text: string, status: number): Invocation => ({ kind: "say", sink: "stdout", text, status });

const helpPage = (): string => `usage: einhyrningsins [OPTIONS] [--] PROGRAM [PROGRAM_ARGS]

Opens sockets, starts PROGRAM with them as often as -n says, and replaces the
workers one for one on SIGHUP, without refusing a connection.

${optionHelp(EINHYRNINGSINS_OPTIONS)}
`;

const settingsFrom = (given: Options, operands: readonly string[], cwd: string): Settings => {
  if (given["ipv4-only"] && given["ipv6-only"]) throw new UsageError("Can't be both IPv4-only and IPv6-only");
  const instances = wholeNumber("-n", given.number?.[0] ?? "1", 1, MOST_WORKERS);
  const attempts = wholeNumber("-r", given.retries?.[0] ?? "1", 0, MOST_RETRIES);
  if (operands.length === 0) throw new UsageError("Missing program to run (try --help)");
  const defaults = defaultsFrom(given, instances);
  const control = controlAt(given["socket-path"]?.[0] ?? DEFAULT_SOCKET_PATH, cwd);
  return {
    program: "einhyrningsins",
    name: "",
    binds: (given.bind ?? []).map((text, index) => bindFrom(text, index, given)),
    control,
    recordPath: null,
    runDirectory: control.address.kind === "unix" ? runDirectoryBeside(control.address.path) : null,
    first: specFrom(given, operands, cwd, { defaults, retries: Math.max(0, attempts - 1) }),
    cwd,
    respawnMs: 0,
    manner: POLICY,
    lingerMs: LINGER_MS,
    leftWorkers: "adopt",
    logFormat: "raw",
    linePrefix: "",
    outputSink: "stdout",
    syslog: given.syslog ? { carries: "warnings" } : null,
    workerInput: "inherit",
    verbosity: given.verbose ? "verbose" : "normal",
    defaults,
  };
};

const wholeNumber = (option: string, text: string, least: number, most: number): number => {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new UsageError(`${option} must be a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`);
};

const defaultsFrom = (given: Options, instances: number): SpecDefaults => ({
  ...DEFAULTS,
  instances,
  surge: NO_SURGE_LIMIT,
  unavailable: 0,
  readiness: given.manual ? { kind: "ack" } : { kind: "delay", afterMs: CHILDHOOD_MS },
  startTimeoutMs: given.manual ? CHILDHOOD_MS : null,
  stopTimeoutMs: 2 * GRACE_MS,
  stopSteps: SHUTDOWN,
  killMode: "process",
});

const specFrom = (
  given: Options,
  command: readonly string[],
  cwd: string,
  { defaults, retries }: { readonly defaults: SpecDefaults; readonly retries: number },
): Spec => ({
  ...emptySpec(defaults),
  command,
  cwd,
  env: Object.fromEntries((given["drop-env-var"] ?? []).map((name) => [name, null])),
  retries,
});

const bindFrom = (text: string, index: number, given: Options): Bind => {
  const [location = "", ...letters] = text.split(",");
  const unknown = letters.find((letter) => !["r", "n", ""].includes(letter));
  if (unknown !== undefined)
    throw new UsageError(`Unknown socket arg '${unknown}', I only know about 'n' and 'r'. Try --help`);
  return {
    uri: `-b ${text}`,
    name: `socket${index}`,
    address: addressFrom(text, location, given),
    // `r`: SO_REUSEADDR before the bind, which crank always sets on stream sockets.
    options: { ...DEFAULT_OPTIONS, nonBlocking: letters.includes("n") },
  };
};

const addressFrom = (text: string, location: string, given: Options): Address => {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(location);
  if (!match) throw new UsageError(`-b ${text}: must be ADDR:PORT, with an IPv6 address in brackets`);
  const port = Number(match[3]);
  if (port > 65_535) throw new UsageError(`-b ${text}: the port ${match[3]} is not a number from 0 to 65535`);
  const family = given["ipv4-only"] ? "4" : given["ipv6-only"] ? "6" : "any";
  return { kind: "internet", transport: "tcp", family, host: match[1] ?? match[2] ?? "", port };
};

const controlAt = (given: string, cwd: string): NonNullable<Settings["control"]> => {
  if (given === "") throw new UsageError("-d requires a path");
  const path = given.startsWith("/") ? given : `${cwd === "/" ? "" : cwd}/${given}`;
  return { uri: `-d ${given}`, address: parseUri(`unix://${path}`).address };
};
