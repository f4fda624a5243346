// Files on Node's modules. They have no functions that take a directory's descriptor, so /proc/self/fd/N/NAME is used.
import * as fs from "node:fs";
import { hostError } from "../errors.ts";
import type { Directory, FileKind, FileStatus, Files, OpenOptions, Replacement } from "../files.ts";
import { asHost, asHostError } from "./errors.ts";

/** Flag of open(2) that is missing from Node's constants. */
const O_PATH = 0o10000000;

const at = (path: string, directory: Directory | undefined): string =>
  directory === undefined || directory === null || path.startsWith("/") ? path : `/proc/self/fd/${directory}/${path}`;

const kindOf = (stats: fs.BigIntStats): FileKind => {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isSymbolicLink()) return "link";
  if (stats.isSocket()) return "socket";
  if (stats.isFIFO()) return "pipe";
  if (stats.isCharacterDevice()) return "characterDevice";
  return stats.isBlockDevice() ? "blockDevice" : "unknown";
};

const statusFrom = (stats: fs.BigIntStats): FileStatus => ({
  kind: kindOf(stats),
  identity: `${stats.dev}:${stats.ino}`,
  mode: Number(stats.mode) & 0o7777,
  links: Number(stats.nlink),
  uid: Number(stats.uid),
  gid: Number(stats.gid),
  size: Number(stats.size),
  device: Number(stats.rdev),
  modifiedMs: Number(stats.mtimeMs),
});

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = fs.constants;

const flagsOf = ({ flags, noFollow, mustBeDirectory, pathOnly }: OpenOptions): number =>
  flags | (noFollow ? O_NOFOLLOW : 0) | (mustBeDirectory ? O_DIRECTORY : 0) | (pathOnly ? O_PATH : 0);

const RETRY_MS = 5;

export const nodeFiles: Files = {
  open: (path, options) =>
    asHost("open", path, () => fs.openSync(at(path, options.directory), flagsOf(options), options.mode ?? 0)),
  close: (fd) => asHost("close", undefined, () => fs.closeSync(fd)),
  read: (fd, bytes, position) =>
    asHost("read", undefined, () => fs.readSync(fd, bytes, 0, bytes.length, position ?? null)),
  beginning: (path) =>
    asHost("read", path, () => {
      const fd = fs.openSync(path, "r");
      try {
        const bytes = Buffer.alloc(256);
        return bytes.toString("utf8", 0, fs.readSync(fd, bytes));
      } finally {
        fs.closeSync(fd);
      }
    }),
  write: (fd, bytes, position) =>
    asHost("write", undefined, () => fs.writeSync(fd, bytes, 0, bytes.length, position ?? null)),
  // Node has no poll(2).
  waitUntilWritable: () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
  },
  status: (path, directory) =>
    asHost("stat", path, () => statusFrom(fs.statSync(at(path, directory), { bigint: true }))),
  linkStatus: (path, directory) =>
    asHost("lstat", path, () => statusFrom(fs.lstatSync(at(path, directory), { bigint: true }))),
  statusOf: (fd) => asHost("fstat", undefined, () => statusFrom(fs.fstatSync(fd, { bigint: true }))),
  access: (path, mode, directory) => asHost("access", path, () => fs.accessSync(at(path, directory), mode)),
  changeMode: (fd, mode) => asHost("chmod", undefined, () => fs.chmodSync(`/proc/self/fd/${fd}`, mode)),
  list: (path, directory) => asHost("read directory", path, () => fs.readdirSync(at(path, directory))),
  makeDirectory: (path, mode, directory) =>
    asHost("mkdir", path, () => {
      fs.mkdirSync(at(path, directory), { mode });
    }),
  removeFile: (path, directory) => asHost("unlink", path, () => fs.unlinkSync(at(path, directory))),
  rename: (path, newPath, directory) =>
    asHost("rename", path, () => fs.renameSync(at(path, directory), at(newPath, directory))),
  readLink: (path, directory) => asHost("readlink", path, () => fs.readlinkSync(at(path, directory))),
  realPath: (path) => asHost("realpath", path, () => fs.realpathSync(path)),
  readBeside: (path, limit) => readBeside(path, limit),
  replace: (replacement) => replace(replacement),
};

const readBeside = async (path: string, limit: number): Promise<Uint8Array> => {
  try {
    const bytes = await fs.promises.readFile(path, { flag: O_RDONLY | O_NOFOLLOW | O_NONBLOCK });
    if (bytes.length > limit) throw hostError("EFBIG", "read", path);
    return bytes;
  } catch (error) {
    throw asHostError(error, "read", path);
  }
};

const replace = async ({ directory, name, temporaryName, bytes, mode }: Replacement): Promise<void> => {
  const temporary = at(temporaryName, directory);
  try {
    const file = await fs.promises.open(temporary, "wx", 0o600);
    try {
      await file.chmod(mode);
      await file.writeFile(bytes);
      await file.sync();
      await file.close();
      await fs.promises.rename(temporary, at(name, directory));
    } catch (error) {
      await file.close().catch(() => {});
      await fs.promises.unlink(temporary).catch(() => {});
      throw error;
    }
    fs.fsyncSync(directory);
  } catch (error) {
    throw asHostError(error, "replace", name);
  }
};
