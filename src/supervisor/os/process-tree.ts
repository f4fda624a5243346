// The children of a process, its open sockets and where it listens, from /proc. Tests use another implementation.
import { host } from "#host";
import { HostError } from "../../host/errors.ts";
import { isMidExec } from "./mid-exec.ts";
import { type Queue, queuesOf, type Waits, waitsOf } from "./process-waits.ts";
import { type BoundSocket, boundSockets } from "./processes.ts";
import { linkAt, namesIn, textAt } from "./system-files.ts";

/**
 * The open sockets of a process, by inode. `looked`: how many descriptors were read; `isWhole` false: not all of them.
 */
export type OpenSockets = {
  readonly inodes: ReadonlySet<number>;
  readonly looked: number;
  readonly isWhole: boolean;
};

export type ProcessTree = {
  /** Its children, including processes that were reparented to it. */
  children(pid: number): readonly number[];
  /** Reads at most `most` descriptors, lowest numbers first. null: there is no such process, or it has ended. */
  openSockets(pid: number, most: number): OpenSockets | null;
  /** The bound sockets in the process's network namespace. */
  boundSockets(pid: number): ReadonlyMap<number, BoundSocket>;
  /** The identity of its network namespace. */
  networkOf(pid: number): string;
  /** The name that ps shows; "" if the process is gone. */
  name(pid: number): string;
  /** The sockets that it waits for. */
  waits(pid: number): Waits;
  /** The numbers of connections of these listening sockets, in the process's network namespace. */
  queues(pid: number, inodes: ReadonlySet<number>): ReadonlyMap<number, Queue>;
};

/** /proc, read at each call. */
export const linuxProcessTree: ProcessTree = {
  children: (pid) =>
    (namesIn(`/proc/${pid}/task`) ?? []).flatMap((thread) =>
      (textAt(`/proc/${pid}/task/${thread}/children`) ?? "").split(" ").filter(Boolean).map(Number),
    ),
  openSockets: (pid, most) => openSocketsOf(pid, most),
  boundSockets: (pid) => boundSockets(`/proc/${pid}/net`),
  networkOf: (pid) => (isMidExec(pid) ? null : linkAt(`/proc/${pid}/ns/net`)) ?? `process ${pid}`,
  name: (pid) => (textAt(`/proc/${pid}/comm`) ?? "").trimEnd(),
  waits: waitsOf,
  queues: queuesOf,
};

/** kill(2) fails with EPERM for a process of another user, even if hidepid (proc(5)) hides it. */
const isOfOthers = (pid: number): boolean => {
  try {
    host.processes.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof HostError && error.code === "EPERM";
  }
};

const openSocketsOf = (pid: number, most: number): OpenSockets | null => {
  const inodes = new Set<number>();
  if (isMidExec(pid)) return { inodes, looked: 0, isWhole: false };
  let names: readonly string[];
  try {
    names = host.files.list(`/proc/${pid}/fd`);
  } catch (error) {
    const isThere = (error instanceof HostError && error.code === "EACCES") || isOfOthers(pid);
    return isThere ? { inodes, looked: 0, isWhole: false } : null;
  }
  const fds = names.map(Number).sort((a, b) => a - b);
  if (fds.length === 0 && / \(.*\) [ZX] /s.test(textAt(`/proc/${pid}/stat`) ?? "")) return null;
  let shown = 0;
  for (const fd of fds.slice(0, most)) {
    const target = linkAt(`/proc/${pid}/fd/${fd}`);
    if (target === null) continue;
    shown += 1;
    if (target.startsWith("socket:[")) inodes.add(Number(target.slice("socket:[".length, -1)));
  }
  // The directory may be readable while its links are not (PTRACE_MODE_READ in proc(5)).
  const looked = Math.min(fds.length, most);
  return { inodes, looked, isWhole: looked === fds.length && (shown > 0 || looked === 0) };
};
