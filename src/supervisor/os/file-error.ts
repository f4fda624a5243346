// Which files crank refuses, and why an operation on one failed, in words for people.

import { host } from "#host";
import { HostError } from "../../host/errors.ts";
import type { FileStatus } from "../../host/files.ts";

const STICKY = 0o1000;
export const OTHERS_WRITE = 0o022;

/** A file that is refused or could not be used. The message completes "the file PATH cannot be used: …". */
export class FileError extends Error {
  override name = "FileError";
  /** The system's code (`ENOENT`), or `REFUSED`: the file exists, but other users can change or exchange it. */
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export const ownUid = (): number => host.processes.identity().uid;

export const isOurs = ({ uid }: FileStatus): boolean => uid === 0 || uid === ownUid();

export const refuseForeign = (status: FileStatus): void => {
  if (!isOurs(status)) throw refused(`it belongs to another user (uid ${status.uid})`);
  if ((status.mode & OTHERS_WRITE) !== 0) throw refused(writable(status, "chmod go-w"));
};

/** In a sticky directory other users can add names, but not remove crank's. */
export const refuseExchangeable = ({ status, path }: { readonly status: FileStatus; readonly path: string }): void => {
  if (!isOurs(status)) throw refused(`its directory ${path} belongs to another user (uid ${status.uid})`);
  if ((status.mode & OTHERS_WRITE) !== 0 && (status.mode & STICKY) === 0)
    throw refused(`in its directory ${path}, other users can replace files: ${writable(status, `chmod go-w ${path}`)}`);
};

export const writable = ({ mode }: FileStatus, advice: string): string =>
  `other users can write to it (mode ${mode.toString(8).padStart(4, "0")}; ${advice})`;

export const refused = (message: string): FileError => new FileError("REFUSED", message);

export const tooLong = (limit: number): FileError => refused(`it has more than ${limit} bytes`);

export const attempt = <T>(action: () => T): T => {
  try {
    return action();
  } catch (error) {
    return fail(error);
  }
};

export const fail = (error: unknown): never => {
  throw error instanceof FileError ? error : new FileError(codeOf(error), reasonOf(error), error);
};

export const codeOf = (error: unknown): string => (error instanceof HostError ? error.code : "");

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
  ELOOP: "it is a symbolic link",
};

const reasonOf = (error: unknown): string => {
  const code = codeOf(error);
  return REASONS[code] ?? (code !== "" ? code : error instanceof Error ? error.message : String(error));
};
