// Processes and sockets from /proc, to find what a killed crank left. Tests use another implementation.
import { host } from "#host";
import { textOf } from "../../host/bytes.ts";
import { HostError } from "../../host/errors.ts";
import { isMidExec } from "./mid-exec.ts";
import { AF_INET, AF_INET6, describeAddress, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from "./sockaddr.ts";
import { linkAt, namesIn, orNull, partsOf, textAt } from "./system-files.ts";

/** A process as one value: a pid alone may belong to another process when it is used. */
export type ProcessRef = {
  readonly pid: number;
  /** Clock ticks since boot. */
  readonly startTime: number;
};

export type ProcessFacts = ProcessRef & {
  readonly parent: number;
  readonly group: number;
  /** Real, effective and saved user ids. */
  readonly uids: readonly number[];
};

export type Environment = ReadonlyMap<string, string>;

/** `target`: the link in /proc/PID/fd, such as `socket:[INODE]`, `pipe:[INODE]` or a path. */
export type Descriptor = { readonly fd: number; readonly target: string };

/** `hidden`: the kernel does not show them to this process. */
export type Descriptors =
  | { readonly kind: "shown"; readonly descriptors: readonly Descriptor[] }
  | { readonly kind: "hidden"; readonly reason: string };

/** A bound socket. It also listens if its type is connection-oriented. */
export type BoundSocket = {
  readonly type: number;
  readonly at: { readonly host: string; readonly port: number } | { readonly path: string };
};

export type ProcessTable = {
  /** All processes. */
  list(): readonly number[];
  /** null: there is no such process, or it is a zombie, is being killed, or is stuck in execve(2). */
  facts(pid: number): ProcessFacts | null;
  /** null: it is hidden, or the process blocks reading it. */
  environment(pid: number): Promise<Environment | null>;
  /** Its arguments in one line, or its name; "" if both are hidden or the process blocks reading them. */
  command(pid: number): Promise<string>;
  descriptors(pid: number): Descriptors;
  /** The access mode of a descriptor (O_RDONLY, O_WRONLY, O_RDWR); null if it is hidden. */
  accessMode(pid: number, fd: number): number | null;
  /** The bound sockets of this network namespace, by inode. */
  sockets(): ReadonlyMap<number, BoundSocket>;
};

/** /proc, read at each call. */
export const linuxProcesses: ProcessTable = {
  list: () =>
    namesIn("/proc")
      ?.filter((name) => /^\d+$/.test(name))
      .map(Number) ?? [],
  facts: (pid) => factsOf(pid),
  environment: (pid) => environmentOf(pid),
  command: async (pid) => {
    const commandLine = (await memoryTextOf(pid, "cmdline"))?.split("\0").join(" ").trim() ?? "";
    return commandLine === "" ? (textAt(`/proc/${pid}/comm`) ?? "").trim() : commandLine;
  },
  descriptors: (pid) => descriptorsOf(pid),
  accessMode: (pid, fd) => {
    const flags = /^flags:\s*([0-7]+)/m.exec(textAt(`/proc/${pid}/fdinfo/${fd}`) ?? "")?.[1];
    return flags === undefined ? null : Number.parseInt(flags, 8) & 3;
  },
  sockets: () => boundSockets("/proc/net"),
};

/** The bound sockets, by inode, of the network namespace that this directory of /proc shows. */
export const boundSockets = (directory: string): ReadonlyMap<number, BoundSocket> => {
  const found = new Map<number, BoundSocket>();
  for (const [file, type] of INTERNET_FILES) readInternet(firstOf(`${directory}/${file}`, type), type, found);
  readUnix(textAt(`${directory}/unix`) ?? "", found);
  return found;
};

/** proc_pid_stat(5): the command's name may hold any characters, so fields are counted from its closing parenthesis. */
const factsOf = (pid: number): ProcessFacts | null => {
  const stat = isMidExec(pid) ? null : textAt(`/proc/${pid}/stat`);
  const status = textAt(`/proc/${pid}/status`) ?? "";
  const uids = /^Uid:\s*(\d+)\s+(\d+)\s+(\d+)/m.exec(status);
  if (stat === null || !uids) return null;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "", parent, group] = fields;
  const isEnding = (Number(fields[6]) & PF_EXITING) !== 0 || PENDING_SIGKILL.test(status);
  if (state === "Z" || state === "X" || isEnding) return null;
  return {
    pid,
    startTime: Number(fields[19]),
    parent: Number(parent),
    group: Number(group),
    uids: uids.slice(1).map(Number),
  };
};

/** The kernel's flag for a process that is exiting. */
const PF_EXITING = 4;
/** SIGKILL (9) is the lowest bit of the third hexadecimal digit from the end. */
const PENDING_SIGKILL = /^(?:SigPnd|ShdPnd):\s*[0-9a-f]*[13579bdf][0-9a-f]{2}$/m;

/** Time limit for reading a process's memory, ms. */
const READ_LIMIT_MS = 500;
/** Reads that are blocked by a process. Each occupies a thread until this supervisor ends. */
let heldUp = 0;
const MOST_HELD_UP = 2;

/**
 * Reads memory of another process. It may be mapped from a FUSE file system, whose owner then decides when the read
 * ends. So it is read in another thread, with a time limit.
 */
const memoryTextOf = async (pid: number, name: "environ" | "cmdline"): Promise<string | null> => {
  if (heldUp >= MOST_HELD_UP || isMidExec(pid)) return null;
  heldUp++;
  const reading = host.files
    .readBeside(`/proc/${pid}/${name}`, MOST_MEMORY_BYTES)
    .then(textOf, () => null)
    .finally(() => heldUp--);
  let giveUp: () => void = () => {};
  const late = new Promise<null>((resolve) => {
    giveUp = () => resolve(null);
  });
  const timer = host.clock.after(READ_LIMIT_MS, giveUp);
  const text = await Promise.race([reading, late]);
  timer.cancel();
  return text;
};
/** Arguments and environment have at most 6 MiB together, unless the stack limit is larger (execve(2)). */
const MOST_MEMORY_BYTES = 16 * 1024 * 1024;

const environmentOf = async (pid: number): Promise<Environment | null> => {
  const text = await memoryTextOf(pid, "environ");
  if (text === null) return null;
  const variables = new Map<string, string>();
  for (const variable of text.split("\0")) {
    const equals = variable.indexOf("=");
    if (equals > 0 && !variables.has(variable.slice(0, equals)))
      variables.set(variable.slice(0, equals), variable.slice(equals + 1));
  }
  return variables;
};

const descriptorsOf = (pid: number): Descriptors => {
  if (isMidExec(pid)) return { kind: "hidden", reason: "it is executing a program" };
  let names: readonly string[];
  try {
    names = host.files.list(`/proc/${pid}/fd`);
  } catch (error) {
    const isRefused = error instanceof HostError && (error.code === "EACCES" || error.code === "EPERM");
    return { kind: "hidden", reason: isRefused ? "permission denied" : "the process has exited" };
  }
  // Leaves out descriptors that were closed meanwhile.
  const descriptors = names.flatMap((name) => {
    const target = linkAt(`/proc/${pid}/fd/${name}`);
    return target === null ? [] : [{ fd: Number(name), target }];
  });
  if (names.length > 0 && descriptors.length === 0) return { kind: "hidden", reason: "permission denied" };
  return { kind: "shown", descriptors: descriptors.sort((a, b) => a.fd - b.fd) };
};

/**
 * The needed part of a table of sockets. Listening TCP sockets come first in theirs (tcp_ipv4.c, tcp_seq_next). The
 * rest, which may be tens of thousands of closed connections, is not read.
 */
const firstOf = (path: string, type: number): string => {
  if (type !== SOCK_STREAM) return textAt(path) ?? "";
  let text = "";
  // The table is missing if the protocol is.
  orNull(() => {
    for (const part of partsOf(path)) {
      const more = textOf(part);
      text += more;
      if (ANOTHER_STATE.test(more)) break;
    }
  });
  return text;
};
/** A line of a socket that is not listening. */
const ANOTHER_STATE = /:[0-9A-F]{4} [0-9A-F]+:[0-9A-F]{4} (?!0A)[0-9A-F]{2} /;

const INTERNET_FILES = [
  ["tcp", SOCK_STREAM],
  ["tcp6", SOCK_STREAM],
  ["udp", SOCK_DGRAM],
  ["udp6", SOCK_DGRAM],
] as const;

// sl local remote state queues timer retransmits uid timeout inode; 0A is a listening tcp socket, 07 a udp one without a peer.
const INTERNET_LINE = /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ (0A|07) \S+ \S+ \S+\s+\d+\s+\d+\s+(\d+)/gm;

const readInternet = (text: string, type: number, found: Map<number, BoundSocket>): void => {
  for (const [, address = "", port = "", state, inode] of text.matchAll(INTERNET_LINE)) {
    if ((state === "0A") !== (type === SOCK_STREAM)) continue;
    const at = describeAddress(socketAddress(address, Number.parseInt(port, 16)));
    found.set(Number(inode), { type, at });
  }
};

/** The kernel prints addresses as words in its byte order, which is little-endian here. */
const socketAddress = (hex: string, port: number): Uint8Array => {
  const isIpv4 = hex.length === 8;
  const bytes = new Uint8Array(isIpv4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isIpv4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  for (let at = 0; at < hex.length; at += 8)
    view.setUint32((isIpv4 ? 4 : 8) + at / 2, Number.parseInt(hex.slice(at, at + 8), 16), true);
  return bytes;
};

// Num refs protocol flags type state inode path; the flag is SO_ACCEPTCON.
const UNIX_LINE = /^\S+ \S+ \S+ ([0-9A-F]+) (\d{4}) \S+\s+(\d+) (.+)$/gm;
const LISTENS = 0x10000;

const readUnix = (text: string, found: Map<number, BoundSocket>): void => {
  for (const [, flags = "", code, inode, path = ""] of text.matchAll(UNIX_LINE)) {
    const type = Number.parseInt(code ?? "", 16);
    const isConnection = type !== SOCK_DGRAM && (Number.parseInt(flags, 16) & LISTENS) === 0;
    if (isConnection || ![SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET].includes(type)) continue;
    found.set(Number(inode), { type, at: { path } });
  }
};
