// The caller's working directory, as its shell shows it.
import { host } from "#host";
import { HostError } from "../host/errors.ts";
import type { FileStatus } from "../host/files.ts";
import { UsageError } from "./flags.ts";

/** By the links on the way, where the shell says so (PWD): `current` stays `current`, and not the release that it leads to just now. */
export const callerDirectory = (): string => {
  const directory = ownDirectory();
  // The runtime replaces what is not UTF-8, and a directory of that name is not there.
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
      "the working directory was removed; change to another one, or give -cwd with an absolute path",
    );
  }
};

/** As POSIX wants it of PWD. */
const isPlain = (path: string): boolean => path.startsWith("/") && !/\/\.{1,2}(\/|$)/.test(path);

const isSameDirectory = (one: string, other: string): boolean => {
  const status = statusOf(one);
  return status !== null && status.identity === host.files.status(other).identity;
};

/** Null: there is nothing of that name. */
const statusOf = (path: string): FileStatus | null => {
  try {
    return host.files.status(path);
  } catch (error) {
    if (error instanceof HostError && error.code === "ENOENT") return null;
    throw error;
  }
};
