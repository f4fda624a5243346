// What crank tells a worker in its environment: read once, and then taken out of it, because descriptor numbers and
// notify sockets are of no use to the worker's own children and dangerous in their hands (sd_notify(3)'s unset_environment).
import { readlinkSync } from "node:fs";
import process from "node:process";

/** A listening socket that this process was started with. */
export type PassedSocket = { readonly fd: number; readonly name: string };
/** A descriptor that an earlier worker left, and that this process was started with. */
export type LeftDescriptor = { readonly fd: number; readonly name: string };

export type WorkerEnvironment = {
  readonly sockets: readonly PassedSocket[];
  /** Why `sockets` is empty although somebody passed some; "" if nobody did. */
  readonly whyNoSockets: string;
  readonly left: readonly LeftDescriptor[];
  /** How many descriptors may be left for later workers. */
  readonly storeLimit: number;
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

const takeEnvironment = (): WorkerEnvironment => {
  const passed = systemdSockets() ?? einhornSockets() ?? { sockets: [], whyNoSockets: "", left: [] };
  for (const { fd, name } of passed.sockets) {
    if (!isSocket(fd))
      throw new Error(`descriptor ${fd} (${name}) should be a listening socket and is not open, or is something else`);
  }
  const usec = numberIn("STOP_TIMEOUT_USEC");
  const environment = {
    ...passed,
    storeLimit: numberIn("FDSTORE") ?? 0,
    notifyFd: numberIn("NOTIFY_FD"),
    notifySocket: process.env.NOTIFY_SOCKET ?? null,
    stopBudgetMs: usec === null || usec === 0 ? null : usec / 1000,
  };
  for (const name of Object.keys(process.env)) {
    if (TAKEN.includes(name) || /^EINHORN_FD_\d+$/.test(name)) delete process.env[name];
  }
  return environment;
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

/** Asked of /proc, because Deno's fstat knows no descriptors but its own. Who may not read /proc gets the benefit of the doubt. */
const isSocket = (fd: number): boolean => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ENOENT");
  }
};
