// What the threads of a process wait for, and how many connections wait at a listening socket, from /proc: whether any
// process accepts.
import { isMidExec } from "./mid-exec.ts";
import { linkAt, namesIn, orNull, partsOf, textAt } from "./system-files.ts";

/**
 * `watched`: the sockets that it waits for, by inode. `isWhole` false: it may wait for others, in ways that /proc
 * hides.
 */
export type Waits = { readonly watched: ReadonlySet<number>; readonly isWhole: boolean };

/** Of a listening socket: how many connections wait to be accepted, and whether accepted ones are open. */
export type Queue = { readonly waiting: number; readonly isAccepting: boolean };

/** Limits of what is read about one process. */
const MOST_DESCRIPTORS = 4096;
const MOST_THREADS = 256;

/** Whether a process is seen to wait for all these sockets. */
export const watchesAll = (pid: number, inodes: readonly number[]): boolean => {
  const isIn = ({ watched }: Waits): boolean => inodes.every((inode) => watched.has(inode));
  return isIn(watchedByEpoll(pid)) || isIn(waitsOf(pid));
};

/** The sockets that a process waits for, by epoll(7) or in accept(2). */
export const waitsOf = (pid: number): Waits => {
  const { watched, isWhole } = watchedByEpoll(pid);
  const all = new Set(watched);
  const threads = namesIn(`/proc/${pid}/task`) ?? [];
  const calls = threads.slice(0, MOST_THREADS).map((thread) => waitOf(pid, thread));
  for (const call of calls) if (typeof call === "number") all.add(call);
  return { watched: all, isWhole: isWhole && threads.length <= MOST_THREADS && !calls.includes("not shown") };
};

const watchedByEpoll = (pid: number): Waits => {
  const watched = new Set<number>();
  const fds = isMidExec(pid) ? null : namesIn(`/proc/${pid}/fd`);
  let isWhole = fds !== null && fds.length <= MOST_DESCRIPTORS;
  for (const fd of fds?.slice(0, MOST_DESCRIPTORS) ?? []) {
    const target = linkAt(`/proc/${pid}/fd/${fd}`);
    // io_uring(7) keeps its requests in memory that it shares with the process.
    if (target === "anon_inode:[io_uring]") isWhole = false;
    if (target !== "anon_inode:[eventpoll]") continue;
    const info = textAt(`/proc/${pid}/fdinfo/${fd}`);
    const targets = info?.match(/^tfd:.*$/gm) ?? [];
    const inodes = targets.flatMap((line) => / ino:([0-9a-f]+)/.exec(line)?.[1] ?? []);
    for (const inode of inodes) watched.add(Number.parseInt(inode, 16));
    if (info === null || inodes.length < targets.length) isWhole = false;
  }
  return { watched, isWhole };
};

/** The inode of the socket that a thread accepts from; `elsewhere`: it waits for something else. */
const waitOf = (pid: number, thread: string): number | "elsewhere" | "not shown" => {
  const calls = callsOfMachine();
  const text = isMidExec(pid) ? null : textAt(`/proc/${pid}/task/${thread}/syscall`);
  // `running`, or the number of the call and its arguments (proc_pid_syscall(5)).
  const [call = "", fd = ""] = text?.split(" ") ?? [];
  if (calls === null || !/^\d+$/.test(call)) return "not shown";
  if (calls.elsewhere.has(Number(call))) return "elsewhere";
  if (!calls.accept.has(Number(call))) return "not shown";
  const inode = /^socket:\[(\d+)\]$/.exec(linkAt(`/proc/${pid}/fd/${Number(fd)}`) ?? "")?.[1];
  return inode === undefined ? "not shown" : Number(inode);
};

/**
 * System call numbers: those that accept a connection, and those that wait for something else, or for epoll
 * descriptors. poll(2) and select(2) are in neither: what they wait for is in the process's memory.
 */
type Calls = { readonly accept: ReadonlySet<number>; readonly elsewhere: ReadonlySet<number> };

/** accept, accept4; read, nanosleep, clock_nanosleep, pause, wait4, waitid, futex, rt_sigtimedwait, rt_sigsuspend, epoll_wait, epoll_pwait, epoll_pwait2, recvfrom, recvmsg. */
const X86_64: Calls = {
  accept: new Set([43, 288]),
  elsewhere: new Set([0, 35, 230, 34, 61, 247, 202, 128, 130, 232, 281, 441, 45, 47]),
};
/** The same without pause and epoll_wait, which do not exist there (asm-generic/unistd.h). */
const GENERIC: Calls = {
  accept: new Set([202, 242]),
  elsewhere: new Set([63, 101, 115, 260, 95, 98, 137, 133, 22, 441, 207, 212]),
};

/** By e_machine (elf(5)). */
const CALLS: Readonly<Record<number, Calls>> = { 62: X86_64, 183: GENERIC, 243: GENERIC };
const E_MACHINE = 18;

const callsOfMachine = (): Calls | null =>
  orNull(() => {
    const parts = partsOf("/proc/self/exe");
    const { value: header = new Uint8Array(0) } = parts.next();
    parts.return(undefined);
    return CALLS[(header[E_MACHINE] ?? 0) | ((header[E_MACHINE + 1] ?? 0) << 8)] ?? null;
  });

/** The queues of listening internet sockets, by inode, in the network namespace of a process. */
export const queuesOf = (pid: number, inodes: ReadonlySet<number>): ReadonlyMap<number, Queue> => {
  const queues = new Map<number, Queue>();
  for (const file of ["tcp", "tcp6"]) readQueues(textAt(`/proc/${pid}/net/${file}`) ?? "", inodes, queues);
  return queues;
};

/** The table may have a line for each of 100,000 connections, so only lines of these ports are taken apart. */
const readQueues = (table: string, inodes: ReadonlySet<number>, queues: Map<number, Queue>): void => {
  const listeners: Line[] = [];
  let start = table.indexOf("\n") + 1;
  // Listening sockets come first (tcp_seq_next in net/ipv4/tcp_ipv4.c).
  for (let line = lineAt(table, start); line?.listens === true; line = lineAt(table, start)) {
    if (inodes.has(line.inode)) listeners.push(line);
    start = table.indexOf("\n", start) + 1;
  }
  for (const { inode, port, received } of listeners)
    queues.set(inode, { waiting: received, isAccepting: hasAccepted(table, start, port) });
};

/** Whether a connection to the port was accepted. One that was not is no open file yet: its inode is 0. */
const hasAccepted = (table: string, start: number, port: string): boolean => {
  const words = `:${port} `;
  for (let at = table.indexOf(words, start); at >= 0; at = table.indexOf(words, at + 1)) {
    const line = lineAt(table, table.lastIndexOf("\n", at) + 1);
    if (line !== null && line.port === port && line.inode !== 0) return true;
  }
  return false;
};

/** `port`: in hexadecimal. `received`: of a listening socket, how many connections wait to be accepted. */
type Line = { readonly port: string; readonly listens: boolean; readonly received: number; readonly inode: number };

const lineAt = (table: string, start: number): Line | null => {
  const end = table.indexOf("\n", start);
  const [, port = "", state, received = "", inode] = TCP_LINE.exec(table.slice(start, end < 0 ? undefined : end)) ?? [];
  if (state === undefined) return null;
  return { port, listens: state === TCP_LISTEN, received: Number.parseInt(received, 16), inode: Number(inode) };
};

// Sl, local address, remote address, state, sizes of both queues, timer, retransmits, uid, timeout, inode (proc_net(5)).
const TCP_LINE = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ ([0-9A-F]{2}) [0-9A-F]+:([0-9A-F]+) \S+ \S+\s+\d+\s+\d+\s+(\d+)/;
const TCP_LISTEN = "0A";
