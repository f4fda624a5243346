// Files on the engine's host calls.
import { joinBytes } from "../bytes.ts";
import type { Directory, FileKind, FileStatus, Files, OpenOptions, Replacement } from "../files.ts";
import { calls, checked, EAGAIN, EINTR, failure, type StatusValues } from "./calls.ts";
import { addWatch, READABLE, removeWatch, type Watch, WRITABLE } from "./loop.ts";

/** fcntl.h: the working directory. */
const AT_FDCWD = -100;
const at = (directory: Directory | undefined): number => directory ?? AT_FDCWD;

/**
 * The S_IFMT part of a mode (inode(7)). A map, because Bun 1.4.4 bundles octal property names wrongly, as if they were
 * base 7.
 */
const KINDS: ReadonlyMap<number, FileKind> = new Map([
  [0o010000, "pipe"],
  [0o020000, "characterDevice"],
  [0o040000, "directory"],
  [0o060000, "blockDevice"],
  [0o100000, "file"],
  [0o120000, "link"],
  [0o140000, "socket"],
]);

const statusFrom = (values: StatusValues): FileStatus => {
  const [, , mode, links, uid, gid, device, size, modifiedMs, , identity] = values;
  return {
    kind: KINDS.get(mode & 0o170000) ?? "unknown",
    identity,
    mode: mode & 0o7777,
    links,
    uid,
    gid,
    size,
    device,
    modifiedMs,
  };
};

/** Defined in engine/host/files.c, because the system's numbers differ between architectures. */
const FLAGS = { noFollow: 1 << 24, directory: 1 << 25, path: 1 << 26 } as const;

const flagsOf = ({ flags, noFollow, mustBeDirectory, pathOnly }: OpenOptions): number =>
  flags | (noFollow ? FLAGS.noFollow : 0) | (mustBeDirectory ? FLAGS.directory : 0) | (pathOnly ? FLAGS.path : 0);

/** Repeats the call if a signal interrupted it. */
const uninterrupted = (act: () => number): number => {
  let result = act();
  while (result === EINTR) result = act();
  return result;
};

export const engineFiles: Files = {
  open: (path, options) =>
    checked(calls.open(at(options.directory), path, flagsOf(options), options.mode ?? 0), "open", path),
  close: (fd) => {
    checked(calls.close(fd), "close");
  },
  read: (fd, bytes, position = -1) =>
    checked(
      uninterrupted(() => calls.read(fd, bytes, 0, bytes.length, position)),
      "read",
    ),
  beginning: (path) => checked(calls.beginning(path), "read", path),
  write: (fd, bytes, position = -1) =>
    checked(
      uninterrupted(() => calls.write(fd, bytes, 0, bytes.length, position)),
      "write",
    ),
  waitUntilWritable: (fd) => {
    const pair = new Int32Array([fd, WRITABLE]);
    calls.poll(new Uint8Array(pair.buffer), 1, -1);
  },
  status: (path, directory) => statusFrom(checked(calls.status(at(directory), path, true), "stat", path)),
  linkStatus: (path, directory) => statusFrom(checked(calls.status(at(directory), path, false), "lstat", path)),
  statusOf: (fd) => statusFrom(checked(calls.statusOf(fd), "fstat")),
  access: (path, mode, directory) => {
    checked(calls.access(at(directory), path, mode), "access", path);
  },
  changeMode: (fd, mode) => {
    checked(calls.changeMode(fd, mode), "chmod");
  },
  list: (path, directory) => checked(calls.list(at(directory), path), "read directory", path),
  makeDirectory: (path, mode, directory) => {
    checked(calls.makeDirectory(at(directory), path, mode), "mkdir", path);
  },
  removeFile: (path, directory) => {
    checked(calls.remove(at(directory), path), "unlink", path);
  },
  rename: (path, newPath, directory) => {
    checked(calls.rename(at(directory), path, at(directory), newPath), "rename", path);
  },
  readLink: (path, directory) => checked(calls.readLink(at(directory), path), "readlink", path),
  realPath: (path) => checked(calls.realPath(path), "realpath", path),
  readBeside: async (path, limit) => answerOf(calls.startReading(path, limit), "read", path),
  replace: (replacement) => replace(replacement),
};

const replace = async ({ directory, name, temporaryName, bytes, mode }: Replacement): Promise<void> => {
  await answerOf(calls.startReplacing(directory, name, temporaryName, bytes, mode), "replace", name);
};

const CHUNK_BYTES = 64 * 1024;

/** A thread of the host does the work and writes the result into a pipe: four bytes error number, then the data. */
const answerOf = (started: number, call: string, subject: string): Promise<Uint8Array> => {
  const fd = checked(started, call, subject);
  const parts: Uint8Array[] = [];
  return new Promise((resolve, reject) => {
    const watch: Watch = {
      fd,
      events: READABLE,
      holds: true,
      ready: () => {
        const part = new Uint8Array(CHUNK_BYTES);
        const count = calls.read(fd, part, 0, part.length, -1);
        if (count === EAGAIN || count === EINTR) return;
        if (count > 0) return void parts.push(part.subarray(0, count));
        removeWatch(watch);
        calls.close(fd);
        const answer = joinBytes(parts);
        const error = answer.length < 4 ? EIO : new DataView(answer.buffer).getInt32(0, true);
        if (error === 0) resolve(answer.subarray(4));
        else reject(failure(-error, call, subject));
      },
    };
    addWatch(watch);
  });
};

/** The thread ended before it could answer. */
const EIO = 5;
