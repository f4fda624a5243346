// crank's command line: the flags and environment of the original, and ours, as settings for the supervisor.

import type { Spec } from "../../core/model/spec.ts";
import { CRANK_POLICY } from "../../core/model/state.ts";
import { DEFAULTS } from "../../spec/defaults.ts";
import { SPEC_ROWS } from "../../spec/fields.ts";
import { SpecError } from "../../supervisor/control/spec-error.ts";
import { probeWithoutSocket, specFrom } from "../../supervisor/control/specs.ts";
import { AddressError, controlOptions, formatAddress, locate, parseUri } from "../../supervisor/os/addresses.ts";
import type { Platform } from "../../supervisor/os/platform.ts";
import type { Invocation } from "../../supervisor/state/front-end.ts";
import type { Bind, LogFormat, Settings, Verbosity } from "../../supervisor/state/settings.ts";
import { VERSION } from "../../version.ts";
import { type Directories, directoriesFor, type System } from "../directories.ts";
import { helpText } from "../flag-help.ts";
import { type FlagValues, parseFlags, UsageError, withAdvice } from "../flags.ts";
import { runParams } from "../run-flags.ts";
import { isServiceName } from "../service-name.ts";
import { givenDefaults, SPEC_FLAGS } from "../spec-flags.ts";
import { CRANK_FLAGS } from "./flags.ts";

const DEFAULT_LINGER_MS = 10_000;
const WRONG_USAGE = 2;

/** With those of the first command. */
const ALL_FLAGS = { ...SPEC_FLAGS, ...CRANK_FLAGS } as const;

type Flags = FlagValues<typeof CRANK_FLAGS>;
type AllFlags = FlagValues<typeof ALL_FLAGS>;
type Environment = Readonly<Record<string, string | undefined>>;

/** Reads crank's command line (without the program's name). Wrong usage is a result, not an exception. */
export const crankInvocation = (
  args: readonly string[],
  environment: Environment,
  cwd: string,
  platform: Platform,
): Invocation => {
  try {
    const { flags, operands, help } = parseFlags(ALL_FLAGS, args, environment);
    if (help) return say(helpPage());
    if (flags.version === true) return say(`crank ${VERSION}\n`);
    const system: System = { uid: platform.uid, exists: (path) => platform.realPath(path) !== null };
    const served = serve(withName(flags, operands, cwd), { environment, cwd, system });
    return {
      ...served,
      settings: { ...served.settings, first: firstSpec(flags, operands, served.settings, platform) },
    };
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof AddressError || error instanceof SpecError)) throw error;
    return {
      kind: "say",
      sink: "stderr",
      text: `${withAdvice(`crank: ${error.message}`, "crank")}\n`,
      status: WRONG_USAGE,
    };
  }
};

const say = (text: string): Invocation => ({ kind: "say", sink: "stdout", text, status: 0 });

const helpPage = (): string =>
  helpText({
    usage: ["crank [-bind URI] -name NAME [flags]", "crank [-bind URI] [flags] -- COMMAND [ARG...]"],
    about: [
      "Owns the listening sockets and starts what crankctl run deploys. A new worker inherits them; the old one is stopped only when the new one is ready.",
    ],
    flags: CRANK_FLAGS,
    examples: [
      "crank -bind :8080 -name web",
      "crank -bind '[::]:443?name=https' -bind '/run/web.sock?mode=0660' -name web",
      "crank -bind :8080 -ready http:/healthz -- node server.js",
      "crank -bind systemd: -name web -respawn -metrics 127.0.0.1:9180",
    ],
    after: [
      "With a COMMAND, which is deployed at the start, the flags of crankctl run apply too, and the name is by default that of the directory.",
      "SEC is a number of seconds, or has a unit: 0.5, 300ms, 5m, 4h.",
      "Socket options: backlog (default 4096), reuseport, nodelay, keepalive, defer-accept, fastopen, v6only, nonblock, name; for unix sockets mode, owner, group.",
    ],
  });

/** What to deploy at the start; null without a command. Throws UsageError, SpecError. */
const firstSpec = (
  flags: AllFlags,
  command: readonly string[],
  settings: Settings,
  platform: Platform,
): Spec | null => {
  if (command.length > 0) {
    const spec = specFrom(
      platform,
      settings,
      null,
      runParams(flags, command, () => settings.cwd),
    );
    const problem = settings.binds.length > 0 ? null : probeWithoutSocket(spec);
    if (problem !== null) throw new UsageError(problem);
    return spec;
  }
  const given = SPEC_ROWS.find(([flag]) => flags[flag] !== undefined && !Object.hasOwn(CRANK_FLAGS, flag));
  if (given !== undefined)
    throw new UsageError(
      `-${given[0]}: it is for a command, and there is none. Write crank [flags] -- COMMAND, or use crankctl run.`,
    );
  return null;
};

/** A command gives a service without any name that of the directory, or that of the program. */
const withName = (flags: Flags, [program]: readonly string[], cwd: string): Flags => {
  if (program === undefined || flags.name !== undefined || flags.conf !== undefined || flags.ctl !== undefined)
    return flags;
  const names = [cwd, program].map((path) => path.slice(path.lastIndexOf("/") + 1));
  return { ...flags, name: names.find(isServiceName) ?? "crank" };
};

type Serving = Extract<Invocation, { kind: "serve" }>;
type Surroundings = { readonly environment: Environment; readonly cwd: string; readonly system: System };

const serve = (flags: Flags, surroundings: Surroundings): Serving => {
  const { environment, cwd, system } = surroundings;
  const { name = "", prefix } = flags;
  const given = prefix === undefined ? undefined : absolute(prefix, cwd);
  const directories = name === "" ? null : directoriesFor(name, given, environment, system);
  const settings = settingsFrom(flags, directories, surroundings);
  // A prefix that does not exist is a mistake. The default directories are made.
  if (directories === null || given !== undefined) return { kind: "serve", settings };
  return { kind: "serve", settings, directories: [directories.state, directories.runtime] };
};

const settingsFrom = (flags: Flags, directories: Directories | null, { environment, cwd }: Surroundings): Settings => {
  const uris = flags.bind ?? [];
  const name = flags.name ?? "";
  if (name !== "" && !isServiceName(name))
    throw new UsageError(
      `-name ${JSON.stringify(name)}: must be a file name without slashes and spaces that does not begin with a dot`,
    );
  const base = directories === null ? null : `${directories.runtime}/${name}`;
  const control = controlFrom(flags.ctl ?? (base === null ? undefined : `unix://${base}.ctl`), environment, cwd);
  const conf = flags.conf ?? (directories === null ? undefined : `${directories.state}/${name}.conf`);
  if (conf === undefined)
    throw new UsageError(
      "-conf: missing, so there is no place for the record of good runs. Give it, or -name, which sets it.",
    );
  const recordPath = absolute(conf, cwd);
  return {
    program: "crank",
    name,
    binds: uris.map((uri, index) => bindFrom(uri, index, cwd)),
    control,
    ...(flags.metrics === undefined ? {} : { metrics: metricsFrom(flags.metrics, cwd) }),
    recordPath,
    runDirectory:
      base === null
        ? runDirectoryBeside(control.address.kind === "unix" ? control.address.path : recordPath)
        : `${base}.run`,
    first: null,
    cwd,
    respawnMs: flags.respawn === false ? null : RESPAWN_MS,
    ...(flags.respawn === undefined ? { respawns: "pools" } : {}),
    manner: CRANK_POLICY,
    lingerMs: flags.linger ?? DEFAULT_LINGER_MS,
    logFormat: logFormat(flags),
    // In syslog, date and tag come with the message.
    linePrefix: flags.syslog === true ? "id=%w pid=%p " : "%t id=%w pid=%p ",
    outputSink: "stdout",
    syslog: flags.syslog === true ? { carries: "everything" } : null,
    workerInput: "null",
    verbosity: verbosity(flags),
    leftWorkers: flags["no-adopt"] === true ? "leave" : "adopt",
    defaults: { ...DEFAULTS, ...givenDefaults(flags) },
  };
};

/** The first restart delay. */
const RESPAWN_MS = 1000;

const absolute = (path: string, cwd: string): string =>
  path.startsWith("/") ? path : `${cwd === "/" ? "" : cwd}/${path}`;

const runDirectoryBeside = (path: string): string => `${path.replace(/\.(ctl|conf)$/, "")}.run`;

const parsedBind = (uri: string): ReturnType<typeof parseUri> => {
  try {
    return parseUri(uri);
  } catch (error) {
    if (error instanceof AddressError) throw new UsageError(`-bind ${error.message}`, { cause: error });
    throw error;
  }
};

const bindFrom = (uri: string, index: number, cwd: string): Bind => {
  const { address, options, name } = parsedBind(uri);
  return {
    uri,
    // A passed socket already has a name.
    name: name ?? (address.kind === "passed" ? "" : `socket${index}`),
    address: locate(`-bind ${uri}`, address, cwd),
    options,
  };
};

const controlFrom = (
  uri: string | undefined,
  environment: Environment,
  cwd: string,
): NonNullable<Settings["control"]> => {
  if (uri === undefined)
    throw new UsageError("-ctl: missing, so there is no control socket. Give it, or -name, which sets it.");
  const parsed = parseUri(uri);
  const { address } = parsed;
  const options = controlOptions(uri, parsed);
  if (address.kind === "internet" && address.transport === "tcp") {
    if ((environment.CRANK_CTL_TOKEN ?? "") === "")
      throw new UsageError(`-ctl ${uri}: a tcp address requires a secret. Set CRANK_CTL_TOKEN.`);
    return { uri, address, options };
  }
  if (address.kind !== "unix" || address.type !== "stream")
    throw new UsageError(
      `-ctl ${uri}: the control socket must be a unix or tcp stream, as in -ctl unix:///run/web.ctl`,
    );
  if (address.path.startsWith("@"))
    throw new UsageError(`-ctl ${uri}: the control socket must not be abstract, because its file protects it`);
  const located = locate(`-ctl ${uri}`, address, cwd);
  return { uri: formatAddress(located), address: located, options };
};

const metricsFrom = (uri: string, cwd: string): NonNullable<Settings["metrics"]> => {
  const { address, options } = parseUri(uri);
  if (address.kind === "internet" && address.transport === "tcp") return { uri, address, options };
  if (address.kind !== "unix" || address.type !== "stream")
    throw new UsageError(`-metrics ${uri}: the address must be a tcp or unix stream, as in -metrics 127.0.0.1:9180`);
  return { uri, address: locate(`-metrics ${uri}`, address, cwd), options };
};

const logFormat = (flags: Flags): LogFormat => {
  const format = flags["log-format"] ?? "text";
  if (flags.syslog === true && format !== "text")
    throw new UsageError(`-log-format ${format}: -syslog has only the text format. Omit one of them.`);
  return format;
};

const verbosity = (flags: Flags): Verbosity => {
  if (flags.quiet === true && flags.verbose === true)
    throw new UsageError("-quiet: excludes -verbose. Omit one of them.");
  if (flags.quiet === true) return "quiet";
  return flags.verbose === true ? "verbose" : "normal";
};
