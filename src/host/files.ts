// Files and directories. Every call is done when it returns, except `replace`; each throws HostError when the system refuses.

/** open(2): those whose numbers are the same on all architectures (asm-generic/fcntl.h). The others are OpenOptions. */
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
  /** `DEVICE:INODE`, which numbers cannot hold: two files are one if theirs are equal. */
  readonly identity: string;
  /** Permission bits, set-id and sticky ones included. */
  readonly mode: number;
  /** 0: its last name is gone. */
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Which device it is, if it is one. */
  readonly device: number;
  /** ms since 1970. */
  readonly modifiedMs: number;
};

/** A descriptor of an open directory; `null` is the working directory. Absolute paths do not depend on it. */
export type Directory = number | null;

export type OpenOptions = {
  /** Of OPEN, joined by `|`. */
  readonly flags: number;
  /** Permissions of a file that is made, less the umask. */
  readonly mode?: number;
  readonly directory?: Directory;
  /** Fails with ELOOP at a symbolic link. */
  readonly noFollow?: true;
  /** Fails with ENOTDIR at anything else. */
  readonly mustBeDirectory?: true;
  /** Opens without the right to read or write, and without waking what a device or a pipe is (O_PATH). */
  readonly pathOnly?: true;
};

/** A new file that takes another's place, or none's. */
export type Replacement = {
  /** The open directory that both names are in. */
  readonly directory: number;
  readonly name: string;
  /** Made exclusively: nothing of this name may be there. */
  readonly temporaryName: string;
  readonly bytes: Uint8Array;
  /** Whatever the umask says. */
  readonly mode: number;
};

export type Files = {
  /** Returns a descriptor, which programs that are executed do not inherit. */
  open(path: string, options: OpenOptions): number;
  close(fd: number): void;
  /** Reads where the file stands, or at `position`. Returns how many bytes came; 0 at the end. */
  read(fd: number, bytes: Uint8Array, position?: number): number;
  /** What one read gives of the first 256 bytes of a file, as text: whole, where the kernel makes it. */
  beginning(path: string): string;
  /** Returns how many bytes were taken, which may be fewer. */
  write(fd: number, bytes: Uint8Array, position?: number): number;
  /** Holds up everything until a write is worth trying again: behind EAGAIN, which a descriptor gives that is shared with a program that made it non-blocking. */
  waitUntilWritable(fd: number): void;
  /** Of the file that a path leads to. */
  status(path: string, directory?: Directory): FileStatus;
  /** Of the link itself, if it is one. */
  linkStatus(path: string, directory?: Directory): FileStatus;
  statusOf(fd: number): FileStatus;
  /** Whether this process's real user may do that. Throws if not. */
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
  /** Every link followed. */
  realPath(path: string): string;
  /** Reads a whole file of at most `limit` bytes (EFBIG if it has more), and holds up nothing meanwhile: /proc of a process that hangs may never answer. */
  readBeside(path: string, limit: number): Promise<Uint8Array>;
  /** Writes a new file and puts it in the place: a reader sees the old text or the new one, whatever is cut off when. Holds up nothing meanwhile: on a disk that hangs a step may never end. */
  replace(replacement: Replacement): Promise<void>;
};
