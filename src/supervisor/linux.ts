// The real platform: /proc and the programs that crank executes. Its own files are in files.ts, the user database in users.ts.
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import { connectUnix } from "../keeper/channel.ts";
import {
  atSocketFile,
  closedDirectory,
  ensureOwnDirectory,
  ensureOwnFile,
  FileError,
  readOwnFile,
  refuseUnsafePlace,
  removeOwnFile,
  removeTemporaries,
  replaceOwnFile,
  setOwnFileAside,
} from "./files.ts";
import { isMidExec } from "./mid-exec.ts";
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
  kernelText,
  replaceFile: (path, text, readers) => replaceOwnFile(path, text, readers).then(() => null, reasonOf),
  ensureFile: (path, text) => attempt(() => ensureOwnFile(path, text)),
  ensureDirectory: (path, access) => attempt(() => ensureOwnDirectory(path, access)),
  unsafePlace,
  setAside,
  removeFile: (path, kind) => {
    attempt(() => removeOwnFile(path, kind));
  },
  removeTemporaries,
  closedDirectory,
  probeSocket,
  resolveHost,
  findUser,
  findGroup,
  streamIdentity,
  lineage,
  descriptorTarget,
  isExecutable,
  isFile: (path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true,
  beginning,
  realPath,
  isSameFile,
  kernelLimits,
  processes: async () => (await import("./processes.ts")).linuxProcesses,
  processTree: async () => (await import("./process-tree.ts")).linuxProcessTree,
  endsInHalfLine,
});

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "");

/** What a FileError says; anything else is a fault of ours. */
const reasonOf = (error: unknown): string => {
  if (error instanceof FileError) return error.message;
  throw error;
};

const attempt = (action: () => void): string | null => {
  try {
    action();
    return null;
  } catch (error) {
    return reasonOf(error);
  }
};

/** The record is the longest: ten specs. */
const MOST_TEXT_BYTES = 16 * 1024 * 1024;
/** The keeper rewrites it when it is four times as long as what counts in it. */
const MOST_JOURNAL_BYTES = 256 * 1024 * 1024;

const readText = (path: string): FileText => {
  try {
    return { kind: "text", text: decoder.decode(readOwnFile(path, MOST_TEXT_BYTES)) };
  } catch (error) {
    const reason = reasonOf(error);
    return codeOf(error) === "ENOENT" ? { kind: "missing" } : { kind: "failed", reason };
  }
};
const decoder = new TextDecoder();

const readBytes = (path: string): Uint8Array | null => {
  try {
    return readOwnFile(path, MOST_JOURNAL_BYTES);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
};

const kernelText = (path: string): string | null => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
};

const unsafePlace = (path: string): string | null => {
  try {
    refuseUnsafePlace(path);
    return null;
  } catch (error) {
    const reason = reasonOf(error);
    return codeOf(error) === "REFUSED" ? reason : null;
  }
};

const setAside = (path: string): string | null => {
  try {
    return setOwnFileAside(path);
  } catch (error) {
    reasonOf(error);
    return null;
  }
};

/** A socket file is stale when nobody has it bound any more: connecting says so (unix(7), ECONNREFUSED). */
const probeSocket = async (path: string): Promise<SocketPath> => {
  try {
    const found = await atSocketFile(path, isListening);
    if (found === null) return "absent";
    return found === false ? "notSocket" : found;
  } catch (error) {
    reasonOf(error);
    return "notSocket";
  }
};

const isListening = async (held: string): Promise<"live" | "stale"> => {
  try {
    const connection = await connectUnix(held, { data: () => {}, close: () => {} });
    connection.end();
    return "live";
  } catch (error) {
    // A live socket of another type answers EPROTOTYPE, a full one EAGAIN: only a refusal proves that nobody is there.
    return codeOf(error) === "ECONNREFUSED" ? "stale" : "live";
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
  const [, parent, uid] = LINEAGE.exec(kernelText(`/proc/${pid}/status`) ?? "") ?? [];
  return parent === undefined ? null : { parent: Number(parent), uid: Number(uid) };
};
const LINEAGE = /^PPid:\s*(\d+)$[\s\S]*?^Uid:\s*(\d+)/m;

const descriptorTarget = (pid: number, fd: number): string | null => {
  if (isMidExec(pid)) return null;
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return null;
  }
};

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
};

/** As much as the kernel looks at (execve(2), BINPRM_BUF_SIZE). */
const MOST_OF_A_BEGINNING = 256;

const beginning = (path: string): string | null => {
  let file: number | null = null;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    if (!fstatSync(file).isFile()) return null;
    const bytes = Buffer.alloc(MOST_OF_A_BEGINNING);
    return bytes.toString("utf8", 0, readSync(file, bytes, 0, bytes.length, 0));
  } catch {
    return null;
  } finally {
    if (file !== null) closeSync(file);
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
  const somaxconn = kernelText("/proc/sys/net/core/somaxconn");
  const limits = kernelText("/proc/self/limits") ?? "";
  const found = (pattern: RegExp): number | null => {
    const number = pattern.exec(limits)?.[1];
    return number === undefined ? null : Number(number);
  };
  return {
    somaxconn: somaxconn === null ? null : Number(somaxconn),
    openFiles: found(/^Max open files\s+\S+\s+(\d+)/m),
    stack: found(/^Max stack size\s+(\d+)/m),
  };
};
