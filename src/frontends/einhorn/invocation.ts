// einhorn's command line as settings for the supervisor.

import { UsageError } from "../../commands/flags.ts";
import { EINHORN_VERSION } from "../../control/dialects/einhorn.ts";
import type { Readiness, Spec } from "../../core/model/spec.ts";
import { CRANK_POLICY } from "../../core/model/state.ts";
import { DEFAULTS, emptySpec, type SpecDefaults, stopStepsOf } from "../../spec/defaults.ts";
import { type Address, AddressError, DEFAULT_OPTIONS, parseUri } from "../../supervisor/os/addresses.ts";
import type { Platform } from "../../supervisor/os/platform.ts";
import type { Invocation } from "../../supervisor/state/front-end.ts";
import type { Bind, Extras, Settings, Verbosity } from "../../supervisor/state/settings.ts";
import { VERSION } from "../../version.ts";
import { type Given, optionHelp, parseOptions } from "../options.ts";
import { runDirectoryBeside } from "../run-directory.ts";
import { EINHORN_OPTIONS } from "./options.ts";
import { defaultPath } from "./paths.ts";
import { shellWords } from "./shell-words.ts";

const MOST_WORKERS = 1000;
const LINGER_MS = 10_000;
const MOST_SECONDS = 1_000_000;
/** More than the maximum number of workers: without --max-upgrade-additional only the pace limits an upgrade. */
const NO_SURGE_LIMIT = 2 * MOST_WORKERS;

type Options = Given<typeof EINHORN_OPTIONS>;
type Environment = Readonly<Record<string, string | undefined>>;

/** Reads einhorn's command line (without the program's name). */
export const einhornInvocation = (
  args: readonly string[],
  environment: Environment,
  cwd: string,
  platform: Platform,
): Invocation => {
  try {
    const { given, operands } = parseOptions(EINHORN_OPTIONS, args, "first", "last");
    if (given.help) return say(usage(), 1);
    if (given.version) return say(`einhorn ${EINHORN_VERSION} (crank ${VERSION})\n`, 0);
    if (given["upgrade-check"]) return say("", 0);
    if (given["with-state-fd"])
      throw new UsageError("--with-state-fd is not allowed on a command line; only the master itself uses it");
    if (given.preload) throw new UsageError(NO_PRELOAD);
    if (operands.length === 0) return say(usage(), 1);
    if (given.number?.[0] === "0") return complain(platform, "-n 0: no workers to run", 0);
    return { kind: "serve", settings: settingsFrom(given, operands, { environment, cwd, platform }) };
  } catch (error) {
    if (error instanceof AddressError || error instanceof UsageError) return complain(platform, error.message, 1);
    throw error;
  }
};

const NO_PRELOAD =
  "-p, --preload is not possible: it loads Ruby code into the master and forks workers from it, and this master is not a Ruby program; " +
  "omit it, and let each worker load its code itself";

const say = (text: string, status: number): Invocation => ({ kind: "say", sink: "stdout", text, status });

const complain = (platform: Platform, sentence: string, status: number): Invocation => ({
  kind: "say",
  sink: "stderr",
  text: `[MASTER ${platform.lineage(platform.pid)?.parent ?? platform.pid}] ERROR: ${sentence}\n`,
  status,
});

const usage = (): string => `## Usage

einhorn [OPTIONS] [--] PROGRAM [ARG...]

Opens sockets, starts PROGRAM with them -n times, keeps that many workers
running, and replaces them without refusing a connection.

EINHORN_FD_0 to EINHORN_FD_(EINHORN_FD_COUNT - 1) are the descriptors of the
sockets. With -m manual, PROGRAM reports that it is ready with the line
{"command":"worker:ack","pid":PID} on the socket EINHORN_SOCK_PATH, if
EINHORN_MASTER_PID is its parent. SIGUSR2 stops it.

## Signals

HUP                 replace the master, then the workers one by one
INT, USR2           SIGUSR2 to all workers, exit when they have exited
TERM                SIGTERM to all workers, exit when they have exited
QUIT                SIGQUIT to all workers, exit at once

einhornsh sends commands to the master: einhornsh -e upgrade.

## Options

${optionHelp(EINHORN_OPTIONS)}
`;

type Surroundings = { readonly environment: Environment; readonly cwd: string; readonly platform: Platform };

const settingsFrom = (given: Options, operands: readonly string[], surroundings: Surroundings): Settings => {
  const { environment, cwd, platform } = surroundings;
  const name = given["command-name"]?.[0] ?? "";
  if (name.includes("/")) throw new UsageError(`-c ${name}: the name must not contain a slash`);
  const pathOf = (option: "socket-path" | "pidfile" | "lockfile", suffix: "sock" | "pid" | "lock"): string =>
    absolute(given[option]?.[0] ?? defaultPath(environment, name, suffix), cwd);
  const socketPath = pathOf("socket-path", "sock");
  const backlog = wholeNumber("-l", given.backlog?.[0] ?? "100", 1, 65_535);
  const defaults = defaultsFrom(given);
  const maxUnready = given["max-unacked"]?.[0];
  return {
    program: "einhorn",
    name,
    binds: (given.bind ?? []).map((text, index) => bindFrom(text, index, backlog)),
    control: { uri: `-d ${socketPath}`, address: parseUri(`unix://${socketPath}`).address },
    recordPath: null,
    runDirectory: runDirectoryBeside(socketPath),
    first: specFrom(defaults, [onPath(operands[0] ?? "", surroundings), ...operands.slice(1)]),
    cwd,
    respawnMs: milliseconds("-s", given.seconds?.[0] ?? "1"),
    manner: {
      ...CRANK_POLICY,
      failureStatus: 0,
      restores: false,
      attempts: "endless",
      pace: {
        maxUnready:
          maxUnready === undefined ? processors(platform) : wholeNumber("--max-unacked", maxUnready, 1, MOST_WORKERS),
      },
    },
    lingerMs: LINGER_MS,
    logFormat: "raw",
    linePrefix: "",
    outputSink: "stdout",
    syslog: null,
    workerInput: "null",
    leftWorkers: "adopt",
    verbosity: verbosityOf(1 + (given.quiet?.length ?? 0) - (given.verbose?.length ?? 0)),
    defaults,
    extras: {
      pidPath: pathOf("pidfile", "pid"),
      lockPath: pathOf("lockfile", "lock"),
      title: `einhorn: ${name === "" ? operands.join(" ") : `ruby ${name}`}`,
      words: operands,
      ...extrasFrom(given),
    },
  };
};

const absolute = (path: string, cwd: string): string =>
  path.startsWith("/") ? path : `${cwd === "/" ? "" : cwd}/${path}`;

/** einhorn counts in reverse: 0 is the most verbose. */
export const VERBOSITIES: readonly Verbosity[] = ["verbose", "normal", "quiet"];

const verbosityOf = (level: number): Verbosity => VERBOSITIES[Math.max(0, Math.min(2, level))] ?? "normal";

const extrasFrom = (given: Options): Omit<Extras, "pidPath" | "lockPath" | "title" | "words"> => ({
  commandSocket: given["command-socket-as-fd"] ? "descriptor" : "path",
  reexec: reexecFrom(given["reexec-as"]?.[0], given["reexec-timeout"]?.[0] ?? "60"),
  deathSignal: given["kill-children-on-exit"] ? "SIGUSR2" : null,
  nice: niceFrom(given.nice?.[0]),
  dropOnUpgrade: given["drop-env-var"] ?? [],
});

const reexecFrom = (text: string | undefined, timeout: string): Extras["reexec"] => {
  const patienceMs = milliseconds("--reexec-timeout", timeout);
  return text === undefined ? null : { command: shellWords("--reexec-as", text), patienceMs };
};

const niceFrom = (text: string | undefined): Extras["nice"] => {
  const [master = "", worker = "", ...rest] = (text ?? "").split(":");
  const command = rest.join(":");
  const level = (part: string): number | null => {
    if (part === "") return null;
    const number = /^[+-]?\d{1,2}$/.test(part) ? Number(part) : Number.NaN;
    if (number >= -20 && number <= 19) return number;
    throw new UsageError(`--nice ${text}: a nice level is a whole number from -20 to 19, not ${JSON.stringify(part)}`);
  };
  return { master: level(master), worker: level(worker), command: command === "" ? null : command };
};

const processors = (platform: Platform): number => {
  return Math.max(1, platform.kernelText("/proc/cpuinfo")?.match(/^processor\s*:/gm)?.length ?? 0);
};

/** The path as found in PATH; a program that is not found stays unchanged, and fails when it is started. */
const onPath = (program: string, { environment, cwd, platform }: Surroundings): string => {
  if (program.includes("/")) return program;
  for (const directory of (environment.PATH ?? "/usr/local/bin:/usr/bin:/bin").split(":")) {
    const candidate = `${absolute(directory, cwd)}/${program}`;
    if (platform.isExecutable(candidate)) return candidate;
  }
  return program;
};

const wholeNumber = (option: string, text: string, least: number, most: number): number => {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new UsageError(`${option} must be a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`);
};

/** Seconds, with an optional fraction, as milliseconds. */
const milliseconds = (option: string, text: string): number => {
  const seconds = /^\d{1,9}(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= MOST_SECONDS) return Math.round(seconds * 1000);
  throw new UsageError(`${option} must be a number of seconds, not ${JSON.stringify(text)}`);
};

const readinessFrom = (mode: string): Readiness => {
  if (mode === "manual") return { kind: "ack" };
  if (!/^\d/.test(mode)) throw new UsageError(`-m must be a number of seconds or manual, not ${JSON.stringify(mode)}`);
  return { kind: "delay", afterMs: milliseconds("-m", mode) };
};

const defaultsFrom = (given: Options): SpecDefaults => {
  const additional = given["max-upgrade-additional"]?.[0];
  const timeout = given["signal-timeout"]?.[0];
  const stopTimeoutMs = timeout === undefined ? null : milliseconds("-t", timeout);
  return {
    ...DEFAULTS,
    instances: wholeNumber("-n", given.number?.[0] ?? "1", 1, MOST_WORKERS),
    surge:
      additional === undefined ? NO_SURGE_LIMIT : wholeNumber("--max-upgrade-additional", additional, 1, MOST_WORKERS),
    unavailable: 0,
    readiness: readinessFrom(given["ack-mode"]?.[0] ?? "1"),
    startTimeoutMs: null,
    stopTimeoutMs,
    stopSteps: stopStepsOf("SIGUSR2", stopTimeoutMs),
    killMode: "process",
  };
};

const specFrom = (defaults: SpecDefaults, command: readonly string[]): Spec => ({
  ...emptySpec(defaults),
  command,
  // The master's own directory: the wrapper of an upgrade may change to another one.
  cwd: "",
});

const NON_BLOCKING = ["n", "o_nonblock"];
/** `r`: SO_REUSEADDR before the bind, which crank always sets on stream sockets. */
const KNOWN = [...NON_BLOCKING, "r", "so_reuseaddr", ""];

const bindFrom = (text: string, index: number, backlog: number): Bind => {
  const [location = "", ...operands] = text.split(",");
  return {
    uri: `-b ${text}`,
    name: `socket${index}`,
    address: addressFrom(text, location),
    options: { ...DEFAULT_OPTIONS, backlog, nonBlocking: operands.some((word) => NON_BLOCKING.includes(word)) },
  };
};

/** The unknown flags of `-b`: ignored as in the original, but logged. */
export const unknownBindFlags = ({ uri }: Bind): readonly string[] =>
  uri
    .split(",")
    .slice(1)
    .filter((word) => !KNOWN.includes(word));

const addressFrom = (text: string, location: string): Address => {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(location);
  if (!match) throw new UsageError(`-b ${text}: must be ADDR:PORT, with an IPv6 address in brackets`);
  const port = Number(match[3]);
  if (port > 65_535) throw new UsageError(`-b ${text}: the port ${match[3]} is not a number from 0 to 65535`);
  const host = match[1] ?? match[2] ?? "";
  return { kind: "internet", transport: "tcp", family: host === "" ? "4" : "any", host, port };
};
