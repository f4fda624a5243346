// What a process has started, which sockets it has open and where it listens, as /proc shows it. The tests hand in others.
import { host } from "#host";
import { HostError } from "../../host/errors.ts";
import { isMidExec } from "./mid-exec.ts";
import { type Queue, queuesOf, type Waits, waitsOf } from "./process-waits.ts";
import { type BoundSocket, boundSockets } from "./processes.ts";
import { linkAt, namesIn, textAt } from "./system-files.ts";

/** The sockets that a process has open, by inode. `looked`: at so many descriptors; `isWhole` false: not at all of them. */
export type OpenSockets = {
  readonly inodes: ReadonlySet<number>;
  readonly looked: number;
  readonly isWhole: boolean;
};

export type ProcessTree = {
  /** Its children, those that other processes left to it included. */
  children(pid: number): readonly number[];
  /** Looks at so many descriptors at most, the lowest numbers first. null: there is no such process, or it has ended. */
  openSockets(pid: number, most: number): OpenSockets | null;
  /** The bound sockets of the network namespace that a process is in. */
  boundSockets(pid: number): ReadonlyMap<number, BoundSocket>;
  /** Which network namespace that is. */
  networkOf(pid: number): string;
  /** The name that ps shows of it; "" if it is gone. */
  name(pid: number): string;
  /** What it waits at. */
  waits(pid: number): Waits;
  /** How many connections there are of these sockets, which listen in the network namespace of a process. */
  queues(pid: number, inodes: ReadonlySet<number>): ReadonlyMap<number, Queue>;
};

/** /proc, as it is at each question. */
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

/** A process of other rights exists (EPERM of kill(2)), though proc(5) mounted with hidepid does not even show it. */
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
  // The directory may be listed where its links may not be read (PTRACE_MODE_READ of proc(5)).
  const looked = Math.min(fds.length, most);
  return { inodes, looked, isWhole: looked === fds.length && (shown > 0 || looked === 0) };
};
