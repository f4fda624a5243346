// The real platform: plain files and /proc; the user database is in users.ts.
import {
  accessSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  promises,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { connectUnix } from "../keeper/channel.ts";
import type { FileText, KernelLimits, Lineage, Platform, SocketPath } from "./platform.ts";
import { findGroup, findUser } from "./users.ts";

/** The platform of this process. `clock` gives CLOCK_MONOTONIC in ms. */
export const linuxPlatform = (clock: () => number): Platform => ({
  pid: process.pid,
  uid: process.getuid?.() ?? 0,
  runtime: process.versions.bun === undefined ? `node ${process.versions.node}` : `bun ${process.versions.bun}`,
  environment: process.env,
  wallNow: Date.now,
  monotonicNow: clock,
  readText,
  readBytes,
  replaceFile,
  ensureFile,
  ensureDirectory,
  setAside,
  removeFile,
  probeSocket,
  giveFile: (path, uid) => attempt(() => chownSync(path, uid, -1)),
  resolveHost,
  findUser,
  findGroup,
  streamIdentity,
  lineage,
  isExecutable,
  realPath,
  isSameFile,
  kernelLimits,
  processes: async () => (await import("./processes.ts")).linuxProcesses,
  endsInHalfLine,
});

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "");

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "read-only file system",
  ENOSPC: "no space left on device",
  EDQUOT: "disk quota exceeded",
  ENOTDIR: "not a directory",
  EISDIR: "is a directory",
  EMFILE: "too many open files",
  EIO: "input/output error",
  EFBIG: "file too large",
};

const reasonOf = (error: unknown): string => {
  const code = codeOf(error);
  return REASONS[code] ?? (code !== "" ? code : error instanceof Error ? error.message : String(error));
};

const attempt = (action: () => void): string | null => {
  try {
    action();
    return null;
  } catch (error) {
    return reasonOf(error);
  }
};

const readText = (path: string): FileText => {
  try {
    return { kind: "text", text: readFileSync(path, "utf8") };
  } catch (error) {
    return codeOf(error) === "ENOENT" ? { kind: "missing" } : { kind: "failed", reason: reasonOf(error) };
  }
};

const readBytes = (path: string): Uint8Array | null => {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
};

/**
 * Somebody who reads the file sees the old text or the new one, whatever is cut off when. Not with the
 * functions that wait: on a disk that hangs each of these steps may take for ever.
 */
const replaceFile: Platform["replaceFile"] = async (path, text, readers) => {
  const temporary = `${path}.new`;
  try {
    await writeDurably(temporary, text, (await modeOf(path)) & (readers === "owner" ? OWNER_ONLY : 0o7777));
    await promises.rename(temporary, path);
    await syncDirectory(dirname(path));
    return null;
  } catch (error) {
    await promises.unlink(temporary).catch(() => {});
    return reasonOf(error);
  }
};

const OWNER_ONLY = 0o600;

const modeOf = async (path: string): Promise<number> => {
  try {
    return (await promises.stat(path)).mode & 0o7777;
  } catch {
    return 0o644;
  }
};

const writeDurably = async (path: string, text: string, mode: number): Promise<void> => {
  const file = await promises.open(path, "w", mode);
  try {
    // One that was left there may have been open to more.
    await file.chmod(mode);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
};

const syncDirectory = async (path: string): Promise<void> => {
  const directory = await promises.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
};

const ensureFile = (path: string, text: string): string | null =>
  attempt(() => {
    if (readText(path).kind === "missing") writeFileSync(path, text, { mode: 0o644, flag: "wx" });
    const file = openSync(path, constants.O_RDWR);
    const isFile = fstatSync(file).isFile();
    closeSync(file);
    if (!isFile) throw new Error("not a plain file");
    accessSync(dirname(path), constants.W_OK);
  });

/** The directory that a file is in. (node:path costs a start 1 ms, and 1 MB.) */
const dirname = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf("/")));

const ensureDirectory = (path: string): string | null =>
  attempt(() => {
    try {
      mkdirSync(path, { mode: 0o711 });
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    if (!lstatSync(path).isDirectory()) throw new Error("not a directory");
    if (statSync(path).uid !== process.getuid?.()) throw new Error("belongs to another user");
    accessSync(path, constants.W_OK | constants.X_OK);
  });

/** How many unusable files of one name are kept. */
const MOST_KEPT_ASIDE = 9;

const setAside = (path: string): string | null => {
  let number = 1;
  while (number < MOST_KEPT_ASIDE && readText(`${path}.bad-${number}`).kind !== "missing") number++;
  // When all are taken, the last one gives way.
  const name = `${path}.bad-${number}`;
  return attempt(() => renameSync(path, name)) === null ? name : null;
};

const removeFile = (path: string): void => {
  attempt(() => unlinkSync(path));
};

/** A socket file is stale when nobody has it bound any more: connecting says so (unix(7), ECONNREFUSED). */
const probeSocket = async (path: string): Promise<SocketPath> => {
  try {
    if (!lstatSync(path).isSocket()) return "notSocket";
  } catch (error) {
    return codeOf(error) === "ENOENT" ? "absent" : "notSocket";
  }
  try {
    const connection = await connectUnix(path, { data: () => {}, close: () => {} });
    connection.end();
    return "live";
  } catch (error) {
    // A live socket of another type answers EPROTOTYPE, a full one EAGAIN: only a refusal proves that nobody is there.
    return codeOf(error) === "ECONNREFUSED" ? "stale" : codeOf(error) === "ENOENT" ? "absent" : "live";
  }
};

/** The keeper takes a supervisor that says nothing for 10 s for dead. */
const RESOLVE_LIMIT_MS = 5_000;

const resolveHost = async (host: string, family: "any" | "4" | "6"): Promise<readonly string[]> => {
  const { lookup } = await import("node:dns/promises");
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error("late")), RESOLVE_LIMIT_MS).unref();
  });
  try {
    const found = await Promise.race([
      lookup(host, { all: true, family: family === "any" ? 0 : Number(family) }),
      late,
    ]);
    return found.map((entry) => entry.address);
  } catch {
    throw new Error(`the host ${JSON.stringify(host)} cannot be resolved`);
  }
};

const streamIdentity = (fd: number): string | null => {
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
};

/** proc_pid_status(5). The owner of the directory says less: it is root's where a process may not be traced. */
const lineage = (pid: number): Lineage | null => {
  const status = readText(`/proc/${pid}/status`);
  const [, parent, uid] = (status.kind === "text" && LINEAGE.exec(status.text)) || [];
  return parent === undefined ? null : { parent: Number(parent), uid: Number(uid) };
};
const LINEAGE = /^PPid:\s*(\d+)$[\s\S]*?^Uid:\s*(\d+)/m;

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
};

const realPath = (path: string): string | null => {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
};

const isSameFile = (one: string, other: string): boolean => {
  try {
    const [a, b] = [statSync(one), statSync(other)];
    if (a.dev === b.dev && a.ino === b.ino) return true;
    return a.size === b.size && readFileSync(one).equals(readFileSync(other));
  } catch {
    return false;
  }
};

/** A file is looked at; what went into a pipe cannot be, and who was killed while writing to it may have stopped anywhere. */
const endsInHalfLine = (fd: number): boolean => {
  try {
    const status = fstatSync(fd);
    if (status.isFIFO() || status.isSocket()) return true;
    if (!status.isFile() || status.size === 0) return false;
    const file = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY);
    const last = new Uint8Array(1);
    readSync(file, last, 0, 1, status.size - 1);
    closeSync(file);
    return last[0] !== 0x0a;
  } catch {
    return false;
  }
};

/** They stay what they are for as long as this process lives. */
const kernelLimits = (): KernelLimits => {
  knownLimits ??= readLimits();
  return knownLimits;
};
let knownLimits: KernelLimits | undefined;

const readLimits = (): KernelLimits => {
  const somaxconn = readText("/proc/sys/net/core/somaxconn");
  const limits = readText("/proc/self/limits");
  const found = (pattern: RegExp): number | null => {
    const number = limits.kind === "text" ? pattern.exec(limits.text)?.[1] : undefined;
    return number === undefined ? null : Number(number);
  };
  return {
    somaxconn: somaxconn.kind === "text" ? Number(somaxconn.text) : null,
    openFiles: found(/^Max open files\s+\S+\s+(\d+)/m),
    stack: found(/^Max stack size\s+(\d+)/m),
  };
};
