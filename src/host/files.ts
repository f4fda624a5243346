// Files and directories. All calls are synchronous except `replace` and `readBeside`. They throw HostError if the
// system refuses.

/** Flags of open(2) with the same number on all architectures (asm-generic/fcntl.h). For the others see OpenOptions. */
export const OPEN = {
  readOnly: 0,
  writeOnly: 1,
  readWrite: 2,
  create: 0o100,
  exclusive: 0o200,
  truncate: 0o1000,
  append: 0o2000,
  nonBlocking: 0o4000,
} as const;

/** access(2) */
export const ACCESS = { exists: 0, execute: 1, write: 2, read: 4 } as const;

export type FileKind =
  | "file"
  | "directory"
  | "link"
  | "socket"
  | "pipe"
  | "characterDevice"
  | "blockDevice"
  | "unknown";

export type FileStatus = {
  readonly kind: FileKind;
  /** `DEVICE:INODE` as a text, because a number could not hold it. Equal for two paths of one file. */
  readonly identity: string;
  /** Permission bits, with set-id and sticky bits. */
  readonly mode: number;
  /** The number of names; 0: the last one was removed. */
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** The device number of a device file. */
  readonly device: number;
  /** ms since 1970. */
  readonly modifiedMs: number;
};

/** A descriptor of an open directory; `null`: the working directory. It does not matter for absolute paths. */
export type Directory = number | null;

export type OpenOptions = {
  /** Flags of OPEN, joined by `|`. */
  readonly flags: number;
  /** Permissions of a new file, less the umask. */
  readonly mode?: number;
  readonly directory?: Directory;
  /** Fails with ELOOP if it is a symbolic link. */
  readonly noFollow?: true;
  /** Fails with ENOTDIR if it is anything else. */
  readonly mustBeDirectory?: true;
  /** Opens without permission to read or write, and without opening a device or pipe itself (O_PATH). */
  readonly pathOnly?: true;
};

/** A new file that replaces another, or is the first of its name. */
export type Replacement = {
  /** The open directory of both names. */
  readonly directory: number;
  readonly name: string;
  /** Created exclusively: it must not exist. */
  readonly temporaryName: string;
  readonly bytes: Uint8Array;
  /** Regardless of the umask. */
  readonly mode: number;
};

export type Files = {
  /** Returns a descriptor that executed programs do not inherit (close-on-exec). */
  open(path: string, options: OpenOptions): number;
  close(fd: number): void;
  /** Reads at the file's position, or at `position`. Returns the number of bytes; 0 at the end. */
  read(fd: number, bytes: Uint8Array, position?: number): number;
  /** One read of at most 256 bytes of a file, as text. Files of /proc are consistent within one read. */
  beginning(path: string): string;
  /** Returns the number of bytes written, which may be smaller. */
  write(fd: number, bytes: Uint8Array, position?: number): number;
  /**
   * Blocks until a write can be retried after EAGAIN. A descriptor gives EAGAIN if a program that shares it made it
   * non-blocking.
   */
  waitUntilWritable(fd: number): void;
  /** The status of the file that a path leads to. */
  status(path: string, directory?: Directory): FileStatus;
  /** The status of the link itself, if it is one. */
  linkStatus(path: string, directory?: Directory): FileStatus;
  statusOf(fd: number): FileStatus;
  /** Checks access for this process's real user. Throws if it is refused. */
  access(path: string, mode: number, directory?: Directory): void;
  changeMode(fd: number, mode: number): void;
  /** Names, without "." and "..". */
  list(path: string, directory?: Directory): readonly string[];
  /** `mode` less the umask. */
  makeDirectory(path: string, mode: number, directory?: Directory): void;
  removeFile(path: string, directory?: Directory): void;
  /** Both names are in the same directory, or absolute. */
  rename(path: string, newPath: string, directory?: Directory): void;
  readLink(path: string, directory?: Directory): string;
  /** The path with all links followed. */
  realPath(path: string): string;
  /**
   * Reads a whole file of at most `limit` bytes (EFBIG if it has more) without blocking: reading /proc of a hanging
   * process may never end.
   */
  readBeside(path: string, limit: number): Promise<Uint8Array>;
  /**
   * Replaces a file by a new one atomically: a reader sees the old or the new text, whenever it is interrupted. Does
   * not block, but may never end on a hanging disk.
   */
  replace(replacement: Replacement): Promise<void>;
};
