// The caller's working directory, as its shell shows it.
import { host } from "#host";
import { HostError } from "../host/errors.ts";
import type { FileStatus } from "../host/files.ts";
import { UsageError } from "./flags.ts";

/** With its links, if the shell passes them on (PWD): `current` stays `current` and is not replaced by the release that it leads to. */
export const callerDirectory = (): string => {
  const directory = ownDirectory();
  // The runtime replaces bytes that are not UTF-8, and no directory has the resulting name.
  if (directory.includes(REPLACED) && statusOf(directory) === null) throw new UsageError(NOT_UTF8);
  return directory;
};

const REPLACED = "\ufffd";
const NOT_UTF8 =
  "the name of the working directory is not UTF-8; change to another one, or give -cwd with an absolute path";

const ownDirectory = (): string => {
  try {
    const real = host.processes.workingDirectory();
    const given = host.processes.variable("PWD") ?? "";
    return isPlain(given) && isSameDirectory(given, real) ? given : real;
  } catch {
    if ((statusOf("/proc/self/cwd")?.links ?? 0) > 0) throw new UsageError(NOT_UTF8);
    throw new UsageError(
      "working directory: it was removed. Change to another one, or give -cwd with an absolute path.",
    );
  }
};

/** As POSIX requires of PWD. */
const isPlain = (path: string): boolean => path.startsWith("/") && !/\/\.{1,2}(\/|$)/.test(path);

const isSameDirectory = (one: string, other: string): boolean => {
  const status = statusOf(one);
  return status !== null && status.identity === host.files.status(other).identity;
};

/** Null: no such file. */
const statusOf = (path: string): FileStatus | null => {
  try {
    return host.files.status(path);
  } catch (error) {
    if (error instanceof HostError && error.code === "ENOENT") return null;
    throw error;
  }
};
