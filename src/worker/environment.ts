// Crank's variables in a worker's environment: read once and then removed, because descriptor numbers and notify sockets are
// useless and dangerous in the worker's children (sd_notify(3)'s unset_environment).
import { readFileSync, readlinkSync } from "node:fs";
import process from "node:process";

/** A listening socket that this process was started with. */
export type PassedSocket = { readonly fd: number; readonly name: string };
/** A descriptor that an earlier worker left, and that this process was started with. */
export type LeftDescriptor = { readonly fd: number; readonly name: string };

export type WorkerEnvironment = {
  readonly sockets: readonly PassedSocket[];
  /** Why `sockets` is empty although sockets were passed; "" if none were. */
  readonly whyNoSockets: string;
  readonly left: readonly LeftDescriptor[];
  /** How many descriptors may be stored for later workers. */
  readonly storeLimit: number;
  /** Why the descriptors that crank passed on are not this process's; "" if they are, or without crank. */
  readonly whyForeign: string;
  readonly notifyFd: number | null;
  readonly notifySocket: string | null;
  /** How long this worker may take from the stop signal to its end, ms. */
  readonly stopBudgetMs: number | null;
};

/** sd_listen_fds(3). */
const FIRST_FD = 3;
const TAKEN = [
  ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"],
  ["NOTIFY_FD", "NOTIFY_SOCKET", "STOP_TIMEOUT_USEC", "FDSTORE"],
  ["EINHORN_FDS", "EINHORN_FD_COUNT", "EINHORN_MASTER_PID"],
].flat();

let known: WorkerEnvironment | undefined;

/** The environment as it was at the first call. Throws if it names descriptors that are no sockets. */
export const workerEnvironment = (): WorkerEnvironment => {
  known ??= takeEnvironment();
  return known;
};

/** The same for callers that use a descriptor. Throws if the descriptors were passed to another process: here the numbers mean
 * something else. */
export const ownDescriptors = (): WorkerEnvironment => {
  const environment = workerEnvironment();
  if (environment.whyForeign !== "") throw new Error(environment.whyForeign);
  return environment;
};

const takeEnvironment = (): WorkerEnvironment => {
  const whyForeign = findOwner();
  const nothing: Passed = { sockets: [], whyNoSockets: whyForeign, left: [] };
  const passed = whyForeign === "" ? (systemdSockets() ?? einhornSockets() ?? nothing) : nothing;
  const notifyFd = numberIn("NOTIFY_FD");
  for (const { fd, name } of passed.sockets) expectSocket(fd, name, "a listening socket");
  if (notifyFd !== null && whyForeign === "") expectSocket(notifyFd, "NOTIFY_FD", "crank's notify socket");
  const usec = numberIn("STOP_TIMEOUT_USEC");
  const environment = {
    ...passed,
    storeLimit: numberIn("FDSTORE") ?? 0,
    whyForeign,
    notifyFd,
    notifySocket: process.env.NOTIFY_SOCKET ?? null,
    stopBudgetMs: usec === null || usec === 0 ? null : usec / 1000,
  };
  for (const name of Object.keys(process.env)) {
    if (TAKEN.includes(name) || /^EINHORN_FD_\d+$/.test(name)) delete process.env[name];
  }
  return environment;
};

/**
 * Which process owns crank's descriptors: by LISTEN_PID (sd_listen_fds(3)), or for a direct child of crank EINHORN_MASTER_PID.
 * Returns why they are not this process's; "" if they are, or if there is no crank.
 */
const findOwner = (): string => {
  const isUnderCrank = process.env.CRANK_WORKER !== undefined || process.env.NOTIFY_FD !== undefined;
  const pid = numberIn("LISTEN_PID");
  const isOwn = pid === null ? numberIn("EINHORN_MASTER_PID") === process.ppid : pid === process.pid;
  if (!isUnderCrank || isOwn) return "";
  const owner = pid === null ? "another process (there is no LISTEN_PID)" : `process ${pid}${commandOf(pid)}`;
  return (
    `crank's sockets and NOTIFY_FD were passed to ${owner}, and this is process ${process.pid}, where their numbers may ` +
    `mean something else: run the program itself, as in "crankctl run -- ${ownCommand()}", or with exec; in place of sudo say -user`
  );
};

/** How ps shows a process, in brackets; "" where that cannot be read. */
const commandOf = (pid: number): string => {
  try {
    const command = shortened(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0"));
    return command === "" ? "" : ` (${command})`;
  } catch {
    return "";
  }
};

const ownCommand = (): string =>
  shortened([process.argv0 || process.execPath, ...process.execArgv, ...process.argv.slice(1)]);

const MOST_CHARACTERS = 200;

/** One line of printable characters. */
const shortened = (words: readonly string[]): string => {
  const text = words
    .join(" ")
    .replace(/[^ -~]+/g, " ")
    .trim();
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}...` : text;
};

type Passed = Pick<WorkerEnvironment, "sockets" | "whyNoSockets" | "left">;

/** LISTEN_FDS and its companions. Null without them; no sockets if they are meant for another process. */
const systemdSockets = (): Passed | null => {
  const count = numberIn("LISTEN_FDS");
  if (count === null) return null;
  const pid = numberIn("LISTEN_PID");
  if (pid !== null && pid !== process.pid) {
    const why = `LISTEN_FDS is meant for process ${pid}, and this is ${process.pid}: start the program directly, or with exec`;
    return { sockets: [], whyNoSockets: why, left: [] };
  }
  const names = (process.env.LISTEN_FDNAMES ?? "").split(":");
  const passed = Array.from({ length: count }, (_, index) => named(FIRST_FD + index, names[index]));
  // Behind the sockets come the descriptors that earlier workers left; einhorn's count is that of the sockets alone.
  const listening = Math.min(count, numberIn("EINHORN_FD_COUNT") ?? count);
  return { sockets: passed.slice(0, listening), whyNoSockets: "", left: passed.slice(listening) };
};

/** EINHORN_FD_0 and so on, for a supervisor that sets no others. */
const einhornSockets = (): Passed | null => {
  const count = numberIn("EINHORN_FD_COUNT");
  if (count === null) return null;
  const master = numberIn("EINHORN_MASTER_PID");
  if (master !== null && master !== process.ppid) {
    const why = `EINHORN_FD_COUNT is meant for a child of process ${master}, and this is one of ${process.ppid}`;
    return { sockets: [], whyNoSockets: why, left: [] };
  }
  const sockets = Array.from({ length: count }, (_, index) => named(numberIn(`EINHORN_FD_${index}`) ?? -1, undefined));
  return { sockets, whyNoSockets: "", left: [] };
};

const named = (fd: number, name: string | undefined): PassedSocket => ({ fd, name: name || String(fd) });

const numberIn = (variable: string): number | null => {
  const text = process.env[variable];
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
};

const expectSocket = (fd: number, name: string, what: string): void => {
  if (!isSocket(fd))
    throw new Error(`descriptor ${fd} (${name}) should be ${what} and is not open, or is something else`);
};

/** By /proc, because Deno's fstat knows only its own descriptors. Without access to /proc, the descriptor is accepted. */
const isSocket = (fd: number): boolean => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ENOENT");
  }
};
