// The few things that the supervisor asks the operating system itself, as one small interface. Everything else goes
// through the keeper. The real one is in linux.ts; the simulator hands in another.
import type { Identity } from "../../core/model/spec.ts";
import type { ProcessTree } from "./process-tree.ts";
import type { ProcessTable } from "./processes.ts";

export type FileText =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "missing" }
  | { readonly kind: "failed"; readonly reason: string };

/** What is at the path where a socket is to be bound. */
export type SocketPath = "absent" | "stale" | "live" | "notSocket";

/** Where a process stands: its parent, and its real user. */
export type Lineage = { readonly parent: number; readonly uid: number };

/** null: unknown, or no limit. `stack` in bytes. */
export type KernelLimits = {
  readonly somaxconn: number | null;
  readonly openFiles: number | null;
  readonly stack: number | null;
};

export type Platform = {
  readonly pid: number;
  /** Who crank runs as. */
  readonly uid: number;
  /** What the supervisor runs on: `engine`. */
  readonly runtime: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Wall clock, ms. */
  wallNow(): number;
  /** CLOCK_MONOTONIC ms, as far as it can be known without the keeper: steps forward from the hello. */
  monotonicNow(): number;

  /** A file of crank's own, at most MOST_TEXT_BYTES of it; one that others can change is not read. */
  readText(path: string): FileText;
  /** The journal that was left; null if there is none. Throws FileError if it cannot be read, or others can change it. */
  readBytes(path: string): Uint8Array | null;
  /** What the kernel says in a file of /proc; null if it cannot be read. */
  kernelText(path: string): string | null;
  /** Replaces a file of crank's own, readable as it was or by its owner alone: temporary file, fsync, rename, fsync of the directory. Resolves to what went wrong, or null, and holds up nothing meanwhile. */
  replaceFile(path: string, text: string, readers: "asBefore" | "owner"): Promise<string | null>;
  /** Makes sure that a file of crank's own is there (0644 less the umask, with `text` if it is new) and can be replaced. Returns what is wrong, or null. */
  ensureFile(path: string, text: string): string | null;
  /** Makes sure that a directory of crank's own is there: one that others may pass (0711 if it is new), or its owner's alone (0700). Returns what is wrong, or null. */
  ensureDirectory(path: string, access: "passable" | "owner"): string | null;
  /** Why others can exchange what is made at this path; null: they cannot. */
  unsafePlace(path: string): string | null;
  /** Renames a file out of the way; the new name, or null if that failed. */
  setAside(path: string): string | null;
  /** Removes what is at the path, if it is a file of crank's own, or a socket's. */
  removeFile(path: string, kind: "file" | "socket"): void;
  /** Removes what a crank that was killed left while it replaced this file. */
  removeTemporaries(path: string): void;
  /** The first directory on the way into this one that a user may not pass, by its mode; null: there is none, or it is not known. */
  closedDirectory(path: string, user: Identity): { readonly path: string; readonly mode: number } | null;
  probeSocket(path: string): Promise<SocketPath>;

  /** Literal addresses of a host, in the system's order. Throws an Error with a sentence. */
  resolveHost(host: string, family: "any" | "4" | "6"): Promise<readonly string[]>;
  /** A user by name or number; null if there is none. */
  findUser(name: string): Identity | null;
  findGroup(name: string): number | null;
  /** Whether users that are not in /etc/passwd can be found: getent(1) can be executed. */
  canAskForUsers(): boolean;
  /** Which file a descriptor of this process is open on: `DEVICE:INODE`, as in JOURNAL_STREAM; null if it is closed. */
  streamIdentity(fd: number): string | null;
  lineage(pid: number): Lineage | null;
  /** What a descriptor of another process is open on, as /proc/PID/fd says (`socket:[INODE]`); null if it is closed or not shown. */
  descriptorTarget(pid: number, fd: number): string | null;
  /** Whether another process watches all these sockets, by their inodes, as far as that is shown at a glance. */
  watchesAll(pid: number, inodes: readonly number[]): boolean;
  isExecutable(path: string): boolean;
  /** Whether a file is there that could be executed, as far as can be seen. */
  isFile(path: string): boolean;
  /** The first bytes of a file as text; null if it cannot be read. */
  beginning(path: string): string | null;
  /** Where a path leads to, every link followed; null if that is nowhere. */
  realPath(path: string): string | null;
  /** Whether two files are one, or hold the same. */
  isSameFile(one: string, other: string): boolean;
  kernelLimits(): KernelLimits;
  readonly processes: ProcessTable;
  readonly processTree: ProcessTree;
  /** Whether what is written to a descriptor of this process now goes on in the middle of a line. */
  endsInHalfLine(fd: number): boolean;
};
