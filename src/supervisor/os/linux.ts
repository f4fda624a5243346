// The real platform: /proc, and the programs that crank executes. Crank's files are in files.ts, the user database in
// users.ts.
import { host } from "#host";
import { areSameBytes, textOf } from "../../host/bytes.ts";
import { HostError } from "../../host/errors.ts";
import { ACCESS, OPEN } from "../../host/files.ts";
import { type AddressFamily, addressesOf } from "../../host/names.ts";
import { connectUnix } from "../../keeper/channel.ts";
import { FileError } from "./file-error.ts";
import {
  atSocketFile,
  closedDirectory,
  ensureOwnDirectory,
  ensureOwnFile,
  readOwnFile,
  refuseUnsafeDirectory,
  removeOwnFile,
  removeTemporaries,
  replaceOwnFile,
  setOwnFileAside,
} from "./files.ts";
import { isMidExec } from "./mid-exec.ts";
import type { FileText, KernelLimits, Lineage, Platform, SocketPath } from "./platform.ts";
import { linuxProcessTree } from "./process-tree.ts";
import { watchesAll } from "./process-waits.ts";
import { linuxProcesses } from "./processes.ts";
import { linkAt, orNull, partsOf, textAt } from "./system-files.ts";
import { canAskForUsers, findGroup, findUser } from "./users.ts";

const { files } = host;

/** The platform of this process. `clock` gives CLOCK_MONOTONIC in ms. */
export const linuxPlatform = (clock: () => number): Platform => {
  let environment: Platform["environment"] | null = null;
  return {
    pid: host.processes.identity().pid,
    uid: host.processes.identity().uid,
    runtime: host.processes.runtime,
    // Read on demand, because few supervisors need it, and once, because a start needs it several times.
    get environment() {
      environment ??= host.processes.environment();
      return environment;
    },
    wallNow: () => host.clock.wallNow(),
    monotonicNow: clock,
    readText,
    readBytes,
    kernelText: textAt,
    replaceFile: (path, text, readers) => replaceOwnFile(path, text, readers).then(() => null, reasonOf),
    ensureFile: (path, text) => attempt(() => ensureOwnFile(path, text)),
    ensureDirectory: (path, access) => attempt(() => ensureOwnDirectory(path, access)),
    unsafeDirectory,
    quarantine,
    removeFile: (path, kind) => {
      attempt(() => removeOwnFile(path, kind));
    },
    removeTemporaries,
    closedDirectory,
    probeSocket,
    resolveHost,
    findUser,
    findGroup,
    canAskForUsers,
    streamIdentity,
    lineage,
    descriptorTarget,
    watchesAll,
    isExecutable,
    isFile,
    beginning,
    realPath: (path) => orNull(() => files.realPath(path)),
    isSameFile,
    kernelLimits,
    processes: linuxProcesses,
    processTree: linuxProcessTree,
    endsInHalfLine,
  };
};

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "");

/** The message of a FileError; any other error is a bug. */
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

/** The record is the longest file: ten specs. */
const MOST_TEXT_BYTES = 16 * 1024 * 1024;
/** The keeper rewrites the journal when it is four times as long as its live entries. */
const MOST_JOURNAL_BYTES = 256 * 1024 * 1024;

const readText = (path: string): FileText => {
  try {
    return { kind: "text", text: textOf(readOwnFile(path, MOST_TEXT_BYTES)) };
  } catch (error) {
    const reason = reasonOf(error);
    return codeOf(error) === "ENOENT" ? { kind: "missing" } : { kind: "failed", reason };
  }
};

const readBytes = (path: string): Uint8Array | null => {
  try {
    return readOwnFile(path, MOST_JOURNAL_BYTES);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
};

const unsafeDirectory = (path: string): string | null => {
  try {
    refuseUnsafeDirectory(path);
    return null;
  } catch (error) {
    const reason = reasonOf(error);
    return codeOf(error) === "REFUSED" ? reason : null;
  }
};

const quarantine = (path: string): string | null => {
  try {
    return setOwnFileAside(path);
  } catch (error) {
    reasonOf(error);
    return null;
  }
};

/** A socket file is stale if no process has it bound: connecting fails with ECONNREFUSED (unix(7)). */
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
    // A live socket of another type answers EPROTOTYPE, a full one EAGAIN: only a refusal proves that it is stale.
    return codeOf(error) === "ECONNREFUSED" ? "stale" : "live";
  }
};

const resolveHost = async (name: string, family: AddressFamily): Promise<readonly string[]> => {
  try {
    return await addressesOf(name, family);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new Error(`the host ${JSON.stringify(name)} cannot be resolved: ${error.message}`);
  }
};

const streamIdentity = (fd: number): string | null => orNull(() => files.statusOf(fd).identity);

/** proc_pid_status(5). The owner of the directory is not reliable: it is root if the process may not be traced. */
const lineage = (pid: number): Lineage | null => {
  const [, parent, uid] = LINEAGE.exec(textAt(`/proc/${pid}/status`) ?? "") ?? [];
  return parent === undefined ? null : { parent: Number(parent), uid: Number(uid) };
};
const LINEAGE = /^PPid:\s*(\d+)$[\s\S]*?^Uid:\s*(\d+)/m;

const descriptorTarget = (pid: number, fd: number): string | null =>
  isMidExec(pid) ? null : linkAt(`/proc/${pid}/fd/${fd}`);

const isFile = (path: string): boolean => orNull(() => files.status(path).kind === "file") === true;

const isExecutable = (path: string): boolean => {
  const mayExecute = orNull(() => {
    files.access(path, ACCESS.execute);
    return true;
  });
  return mayExecute === true && isFile(path);
};

/** As much as the kernel reads (execve(2), BINPRM_BUF_SIZE). */
const MOST_OF_A_BEGINNING = 256;

const beginning = (path: string): string | null =>
  // Never open a terminal: it would become the controlling terminal of this session.
  isFile(path)
    ? withFile(path, (fd) => {
        const bytes = new Uint8Array(MOST_OF_A_BEGINNING);
        return textOf(bytes.subarray(0, files.read(fd, bytes, 0)));
      })
    : null;

/** null if the file cannot be read. */
const withFile = <T>(path: string, use: (fd: number) => T): T | null =>
  orNull(() => {
    const fd = files.open(path, { flags: OPEN.readOnly | OPEN.nonBlocking });
    try {
      return use(fd);
    } finally {
      files.close(fd);
    }
  });

const isSameFile = (one: string, other: string): boolean =>
  orNull(() => {
    const [a, b] = [files.status(one), files.status(other)];
    return a.identity === b.identity || (a.size === b.size && holdTheSame(one, other));
  }) === true;

const holdTheSame = (one: string, other: string): boolean => {
  const others = partsOf(other);
  try {
    for (const part of partsOf(one)) if (!areSameBytes(part, others.next().value ?? NOTHING)) return false;
    return true;
  } finally {
    others.return(undefined);
  }
};
const NOTHING = new Uint8Array(0);

/** Only a file can be checked. For a pipe true, because a writer that was killed may have stopped anywhere. */
const endsInHalfLine = (fd: number): boolean =>
  orNull(() => {
    const { kind, size } = files.statusOf(fd);
    if (kind === "pipe" || kind === "socket") return true;
    if (kind !== "file" || size === 0) return false;
    const last = new Uint8Array(1);
    withFile(`/proc/self/fd/${fd}`, (file) => files.read(file, last, size - 1));
    return last[0] !== NEWLINE;
  }) === true;
const NEWLINE = 0x0a;

/** Read once: they are not expected to change while this process lives. */
const kernelLimits = (): KernelLimits => {
  knownLimits ??= readLimits();
  return knownLimits;
};
let knownLimits: KernelLimits | undefined;

const readLimits = (): KernelLimits => {
  const somaxconn = textAt("/proc/sys/net/core/somaxconn");
  const limits = textAt("/proc/self/limits") ?? "";
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
