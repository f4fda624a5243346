// socketmaster's command line as settings for the supervisor: one socket, one program, replaced by time.
import { helpText } from "../../commands/flag-help.ts";
import { type FlagValues, parseFlags, UsageError } from "../../commands/flags.ts";
import type { Identity, Spec } from "../../core/model/spec.ts";
import { CRANK_POLICY } from "../../core/model/state.ts";
import { DEFAULTS, emptySpec, type SpecDefaults } from "../../spec/defaults.ts";
import {
  type Address,
  AddressError,
  controlOptions,
  formatAddress,
  locate,
  parseUri,
} from "../../supervisor/os/addresses.ts";
import type { Platform } from "../../supervisor/os/platform.ts";
import type { Invocation } from "../../supervisor/state/front-end.ts";
import type { Bind, Settings } from "../../supervisor/state/settings.ts";
import { VERSION } from "../../version.ts";
import { runDirectoryBeside } from "../run-directory.ts";
import { SOCKETMASTER_FLAGS } from "./flags.ts";

const DEFAULT_LISTEN = "tcp://:8080";
const DEFAULT_START_MS = 3000;
const LINGER_MS = 10_000;
const MAX_FD = 255;
const SET_UP_ERROR = 1;
const WRONG_USAGE = 2;

type Flags = FlagValues<typeof SOCKETMASTER_FLAGS>;
type Users = Pick<Platform, "uid" | "findUser">;

/** An error that keeps socketmaster from starting; the message is for the user. */
class SetUpError extends Error {
  override name = "SetUpError";
}

/** Reads socketmaster's command line (without the program's name). */
export const socketmasterInvocation = (
  args: readonly string[],
  _environment: Readonly<Record<string, string | undefined>>,
  cwd: string,
  users: Users,
): Invocation => {
  try {
    const { flags, operands, help } = parseFlags(SOCKETMASTER_FLAGS, args);
    if (help) return { kind: "say", sink: "stdout", text: helpPage(), status: 0 };
    if (flags.version === true) return { kind: "say", sink: "stdout", text: `${VERSION}\n`, status: 0 };
    return { kind: "serve", settings: settingsFrom(flags, operands, cwd, users) };
  } catch (error) {
    if (error instanceof UsageError) return refuse(`${error.message}\nTry 'socketmaster -help'.`, WRONG_USAGE);
    if (error instanceof SetUpError || error instanceof AddressError) return refuse(error.message, SET_UP_ERROR);
    throw error;
  }
};

const refuse = (sentence: string, status: number): Invocation => ({
  kind: "say",
  sink: "stderr",
  text: `socketmaster: ${sentence}\n`,
  status,
});

const helpPage = (): string =>
  helpText({
    usage: ["socketmaster -command PATH [-listen URI] [-start MILLIS] [-syslog] [-user LOGIN] [-- ARG…]"],
    about: [
      "Opens the socket and starts the program with it as descriptor 3. On SIGHUP it starts a second process; when this one has run for -start, the others get SIGTERM. SIGINT, SIGTERM and SIGQUIT are passed on. With the last process, socketmaster exits.",
    ],
    flags: SOCKETMASTER_FLAGS,
  });

const settingsFrom = (flags: Flags, operands: readonly string[], cwd: string, users: Users): Settings => {
  if ((flags.command ?? "") === "") throw new SetUpError("-command is missing: the program to start");
  const control = flags.ctl === undefined ? null : controlFrom(flags.ctl, cwd);
  return {
    program: "socketmaster",
    name: "",
    binds: [bindFrom(flags.listen ?? DEFAULT_LISTEN, cwd)],
    control,
    recordPath: null,
    runDirectory: control === null ? null : runDirectoryOf(control.address),
    first: specFrom(flags, operands, users),
    cwd,
    respawnMs: null,
    manner: { ...CRANK_POLICY, failureStatus: 0, restores: false },
    lingerMs: LINGER_MS,
    logFormat: "text",
    // In syslog, date and tag come with the message.
    linePrefix: flags.syslog === true ? "[%p] " : "socketmaster[%m] %d [%p] ",
    outputSink: "stderr",
    leftWorkers: "adopt",
    syslog: flags.syslog === true ? { carries: "everything" } : null,
    workerInput: "inherit",
    verbosity: "normal",
    defaults: defaultsFrom(flags),
  };
};

const bindFrom = (uri: string, cwd: string): Bind => {
  if (!/^[a-z0-9]+:\/\//i.test(uri))
    throw new SetUpError(
      `-listen ${uri}: the scheme is missing; use tcp, tcp4, tcp6, unix or fd, as in ${DEFAULT_LISTEN}`,
    );
  const { address, options, name } = parseUri(uri);
  const isStream =
    address.kind === "inherited" ||
    (address.kind === "unix" && address.type === "stream") ||
    (address.kind === "internet" && address.transport === "tcp");
  if (!isStream) throw new SetUpError(`-listen ${uri}: unknown scheme; use tcp, tcp4, tcp6, unix or fd`);
  if (address.kind === "inherited" && address.fd > MAX_FD)
    throw new SetUpError(`-listen ${uri}: the descriptor must be from 0 to ${MAX_FD}`);
  return { uri, name: name ?? "socket0", address: locate(`-listen ${uri}`, address, cwd), options };
};

const controlFrom = (uri: string, cwd: string): NonNullable<Settings["control"]> => {
  const parsed = parseUri(uri);
  const { address } = parsed;
  if (address.kind !== "unix" || address.type !== "stream")
    throw new UsageError(`-ctl ${uri}: the control socket is a unix stream, as in -ctl unix:///run/web.ctl`);
  const located = locate(`-ctl ${uri}`, address, cwd);
  return { uri: formatAddress(located), address: located, options: controlOptions(uri, parsed) };
};

const runDirectoryOf = (address: Address): string | null =>
  address.kind === "unix" && address.path.startsWith("/") ? runDirectoryBeside(address.path) : null;

/** A process is ready after -start. It is stopped with SIGTERM, without a time limit. */
const defaultsFrom = (flags: Flags): SpecDefaults => ({
  ...DEFAULTS,
  instances: 1,
  surge: 1,
  unavailable: 0,
  readiness: { kind: "delay", afterMs: flags.start ?? DEFAULT_START_MS },
  startTimeoutMs: null,
  stopTimeoutMs: null,
  stopSteps: [{ signal: "SIGTERM", afterMs: 0 }],
  killMode: "process",
});

const specFrom = (flags: Flags, operands: readonly string[], users: Users): Spec => ({
  ...emptySpec(defaultsFrom(flags)),
  command: [flags.command ?? "", ...operands],
  // socketmaster's own directory, even if the user of -user could not change to it.
  cwd: "",
  user: flags.user === undefined ? null : userFrom(flags.user, users),
});

const userFrom = (login: string, { uid, findUser }: Users): Identity => {
  const user = findUser(login);
  if (!user) throw new SetUpError(`-user ${login}: no such user`);
  if (uid !== 0 && uid !== user.uid)
    throw new SetUpError(`-user ${login}: only root can start processes as another user`);
  // The original does not change the environment.
  const { name, uid: id, gid, groups } = user;
  return { name, uid: id, gid, groups };
};
