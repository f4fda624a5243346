// node:fs and node:fs/promises on the host, in the part that crank uses.
import { host } from "#host";
import { HostError } from "../../src/host/errors.ts";
import type { FileStatus, OpenOptions } from "../../src/host/files.ts";
import { Buffer } from "./buffer.ts";

const { files } = host;

/** Those whose numbers differ between architectures have others here; files.ts of crank's has O_PATH and O_CLOEXEC itself. */
export const constants = {
  ...{ O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, O_CREAT: 0o100, O_EXCL: 0o200, O_TRUNC: 0o1000, O_APPEND: 0o2000 },
  ...{ O_NONBLOCK: 0o4000, O_NOFOLLOW: 1 << 24, O_DIRECTORY: 1 << 25 },
  ...{ F_OK: 0, X_OK: 1, W_OK: 2, R_OK: 4 },
};
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const SPECIAL = constants.O_NOFOLLOW | constants.O_DIRECTORY | O_PATH | O_CLOEXEC;
const WORDS: Readonly<Record<string, number>> = { r: 0, "r+": 2, w: 0o1101, wx: 0o301, a: 0o2101 };

type Flags = string | number;
const optionsOf = (flags: Flags, mode: number): OpenOptions => {
  const number = typeof flags === "string" ? (WORDS[flags] ?? 0) : flags;
  return {
    flags: number & ~SPECIAL,
    mode,
    ...((number & constants.O_NOFOLLOW) !== 0 ? { noFollow: true } : {}),
    ...((number & constants.O_DIRECTORY) !== 0 ? { mustBeDirectory: true } : {}),
    ...((number & O_PATH) !== 0 ? { pathOnly: true } : {}),
  };
};

export class Stats {
  readonly #status: FileStatus;
  readonly dev: string;
  readonly ino: string;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly rdev: number;
  readonly mtimeMs: number;

  constructor(status: FileStatus) {
    this.#status = status;
    const [dev = "", ino = ""] = status.identity.split(":");
    this.dev = dev;
    this.ino = ino;
    this.mode = status.mode;
    this.nlink = status.links;
    this.uid = status.uid;
    this.gid = status.gid;
    this.size = status.size;
    this.rdev = status.device;
    this.mtimeMs = status.modifiedMs;
  }

  isFile(): boolean {
    return this.#status.kind === "file";
  }
  isDirectory(): boolean {
    return this.#status.kind === "directory";
  }
  isSymbolicLink(): boolean {
    return this.#status.kind === "link";
  }
  isSocket(): boolean {
    return this.#status.kind === "socket";
  }
  isFIFO(): boolean {
    return this.#status.kind === "pipe";
  }
  isCharacterDevice(): boolean {
    return this.#status.kind === "characterDevice";
  }
}

export const openSync = (path: string, flags: Flags = "r", mode = 0o666): number =>
  files.open(path, optionsOf(flags, mode));
export const closeSync = (fd: number): void => files.close(fd);
export const readSync = (
  fd: number,
  bytes: Uint8Array,
  start = 0,
  length = bytes.length - start,
  position: number | null = null,
): number => files.read(fd, bytes.subarray(start, start + length), position ?? undefined);
export const writeSync = (fd: number, what: Uint8Array | string, start = 0): number =>
  files.write(fd, typeof what === "string" ? Buffer.from(what) : what.subarray(start));
export const statSync = (path: string, { throwIfNoEntry = true } = {}): Stats | undefined => {
  try {
    return new Stats(files.status(path));
  } catch (error) {
    if (!throwIfNoEntry && error instanceof HostError && error.code === "ENOENT") return undefined;
    throw error;
  }
};
export const lstatSync = (path: string): Stats => new Stats(files.linkStatus(path));
export const fstatSync = (fd: number): Stats => new Stats(files.statusOf(fd));
export const existsSync = (path: string): boolean => {
  try {
    files.access(path, 0);
    return true;
  } catch {
    return false;
  }
};
export const accessSync = (path: string, mode = 0): void => files.access(path, mode);
export const readdirSync = (path: string): readonly string[] => files.list(path);
export const readlinkSync = (path: string): string => files.readLink(path);
export const realpathSync = (path: string): string => files.realPath(path);
export const renameSync = (from: string, to: string): void => files.rename(from, to);
export const unlinkSync = (path: string): void => files.removeFile(path);
export const mkdirSync = (path: string, { mode = 0o777 } = {}): void => files.makeDirectory(path, mode);
export const chmodSync = (path: string, mode: number): void => {
  const fd = files.open(path, { flags: 0, pathOnly: true });
  try {
    files.changeMode(fd, mode);
  } finally {
    files.close(fd);
  }
};

const CHUNK = 64 * 1024;

export const readFileSync = (from: string | number, how?: string | { readonly encoding?: string }): Buffer | string => {
  const fd = typeof from === "number" ? from : openSync(from);
  const parts: Uint8Array[] = [];
  try {
    for (;;) {
      const room = new Uint8Array(CHUNK);
      const count = files.read(fd, room);
      if (count === 0) break;
      parts.push(room.subarray(0, count));
    }
  } finally {
    if (typeof from === "string") closeSync(fd);
  }
  const all = Buffer.concat(parts);
  return how === undefined ? all : new TextDecoder().decode(all);
};

const writeAll = (fd: number, bytes: Uint8Array): void => {
  for (let at = 0; at < bytes.length; ) at += files.write(fd, bytes.subarray(at));
};

/** Each of these holds everything up for as long as it takes: host.files.replace does not, and is what will be used. */
class Handle {
  readonly fd: number;
  constructor(fd: number) {
    this.fd = fd;
  }
  async stat(): Promise<Stats> {
    return fstatSync(this.fd);
  }
  async chmod(mode: number): Promise<void> {
    files.changeMode(this.fd, mode);
  }
  async writeFile(what: string | Uint8Array): Promise<void> {
    writeAll(this.fd, typeof what === "string" ? Buffer.from(what) : what);
  }
  async sync(): Promise<void> {
    files.synchronize(this.fd);
  }
  async close(): Promise<void> {
    files.close(this.fd);
  }
}

export const open = async (path: string, flags: Flags = "r", mode?: number): Promise<Handle> =>
  new Handle(openSync(path, flags, mode));
export const stat = async (path: string): Promise<Stats> => new Stats(files.status(path));
export const lstat = async (path: string): Promise<Stats> => lstatSync(path);
export const rename = async (from: string, to: string): Promise<void> => renameSync(from, to);
export const unlink = async (path: string): Promise<void> => unlinkSync(path);
export const readdir = async (path: string): Promise<readonly string[]> => readdirSync(path);
/** The most that a file of /proc is read of. */
const MOST_READ = 16 << 20;
export const readFile = async (path: string, how?: string): Promise<Buffer | string> => {
  const bytes = await files.readBeside(path, MOST_READ);
  return how === undefined ? Buffer.from(bytes) : new TextDecoder().decode(bytes);
};
export const promises = { open, stat, lstat, rename, unlink, readdir, readFile };
