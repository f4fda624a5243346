// What the supervisor needs from the operating system directly, as one small interface. Everything else goes through
// the keeper. The real platform is in linux.ts; the simulator has another.
import type { Identity } from "../../core/model/spec.ts";
import type { ProcessTree } from "./process-tree.ts";
import type { ProcessTable } from "./processes.ts";

export type FileText =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "missing" }
  | { readonly kind: "failed"; readonly reason: string };

/** The state of a path where a socket is to be bound. */
export type SocketPath = "absent" | "stale" | "live" | "notSocket";

/** What other users may do in a directory: pass through it, list it, or nothing. */
export type DirectoryAccess = "passable" | "readable" | "owner";

/** A process's parent and real user. */
export type Lineage = { readonly parent: number; readonly uid: number };

/** null: unknown, or no limit. `stack` in bytes. */
export type KernelLimits = {
  readonly somaxconn: number | null;
  readonly openFiles: number | null;
  readonly stack: number | null;
};

export type Platform = {
  readonly pid: number;
  /** The user that crank runs as. */
  readonly uid: number;
  /** The runtime of the supervisor: `engine`. */
  readonly runtime: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Wall clock, ms. */
  wallNow(): number;
  /** CLOCK_MONOTONIC ms, estimated from the time in the hello. */
  monotonicNow(): number;

  /** A file of crank's own, at most MOST_TEXT_BYTES. A file that other users can change is refused. */
  readText(path: string): FileText;
  /** The left journal; null if there is none. Throws FileError if it cannot be read or other users can change it. */
  readBytes(path: string): Uint8Array | null;
  /** The content of a file of /proc; null if it cannot be read. */
  kernelText(path: string): string | null;
  /**
   * Replaces a file of crank's own, with its mode as before or readable by its owner only: temporary file, fsync,
   * rename, fsync of the directory. Resolves to an error, or null. Does not block.
   */
  replaceFile(path: string, text: string, readers: "asBefore" | "owner"): Promise<string | null>;
  /**
   * Makes sure that a file of crank's own exists (0644 less the umask, with `text` if it is new) and can be replaced.
   * Returns the error, or null.
   */
  ensureFile(path: string, text: string): string | null;
  /**
   * Makes sure that a directory of crank's own exists: `passable` (0711 if it is new), `readable` (0755 if it is new) or
   * `owner` (0700). Returns the error, or null.
   */
  ensureDirectory(path: string, access: DirectoryAccess): string | null;
  /** Why other users can exchange a file at this path; null: they cannot. */
  unsafeDirectory(path: string): string | null;
  /** Renames a file. Returns the new name, or null if that failed. */
  quarantine(path: string): string | null;
  /** Removes the file if it is crank's own, or the file of a socket. */
  removeFile(path: string, kind: "file" | "socket"): void;
  /** Removes temporary files that a killed crank left while replacing this file. */
  removeTemporaries(path: string): void;
  /** The first directory on the path that the user may not pass by its mode; null: none, or unknown. */
  closedDirectory(path: string, user: Identity): { readonly path: string; readonly mode: number } | null;
  probeSocket(path: string): Promise<SocketPath>;

  /** Literal addresses of a host, in the system's order. Throws an Error with a sentence. */
  resolveHost(host: string, family: "any" | "4" | "6"): Promise<readonly string[]>;
  /** A user by name or number; null if there is none. */
  findUser(name: string): Identity | null;
  findGroup(name: string): number | null;
  /** Whether users that are not in /etc/passwd can be found, that is, whether getent(1) can be executed. */
  canAskForUsers(): boolean;
  /** The file behind a descriptor of this process: `DEVICE:INODE`, as in JOURNAL_STREAM; null if it is closed. */
  streamIdentity(fd: number): string | null;
  lineage(pid: number): Lineage | null;
  /**
   * The target of another process's descriptor, as in /proc/PID/fd (`socket:[INODE]`); null if it is closed or hidden.
   */
  descriptorTarget(pid: number, fd: number): string | null;
  /** Whether another process is seen to watch all these sockets, given by inode. Only checks what is cheap to read. */
  watchesAll(pid: number, inodes: readonly number[]): boolean;
  isExecutable(path: string): boolean;
  /** Whether a plain file exists that could be executed, as far as can be seen. */
  isFile(path: string): boolean;
  /** The first bytes of a file as text; null if it cannot be read. */
  beginning(path: string): string | null;
  /** The path with all links resolved; null if it leads nowhere. */
  realPath(path: string): string | null;
  /** Whether two paths lead to the same file, or to files of the same content. */
  isSameFile(one: string, other: string): boolean;
  kernelLimits(): KernelLimits;
  readonly processes: ProcessTable;
  readonly processTree: ProcessTree;
  /** Whether output to a descriptor of this process may continue in the middle of a line. */
  endsInHalfLine(fd: number): boolean;
};
