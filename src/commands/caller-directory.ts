// The directory that a command was called in, as who called it sees it.
import { statSync } from "node:fs";
import { UsageError } from "./flags.ts";

/** By the links on the way, where the shell says so (PWD): `current` stays `current`, and not the release that it leads to just now. */
export const callerDirectory = (): string => {
  const directory = ownDirectory();
  // The runtime replaces what is not UTF-8, and a directory of that name is not there.
  if (directory.includes(REPLACED) && !statSync(directory, { throwIfNoEntry: false })) throw new UsageError(NOT_UTF8);
  return directory;
};

const REPLACED = "\ufffd";
const NOT_UTF8 =
  "the name of the directory in which this is called is not UTF-8; go to another, or give -cwd with an absolute path";

const ownDirectory = (): string => {
  try {
    const real = process.cwd();
    const said = process.env.PWD ?? "";
    return isPlain(said) && isSameDirectory(said, real) ? said : real;
  } catch {
    const isThere = statSync("/proc/self/cwd", { throwIfNoEntry: false })?.nlink ?? 0;
    if (isThere > 0) throw new UsageError(NOT_UTF8);
    throw new UsageError(
      "the directory in which this is called is gone; go to another, or give -cwd with an absolute path",
    );
  }
};

/** As POSIX wants it of PWD. */
const isPlain = (path: string): boolean => path.startsWith("/") && !/\/\.{1,2}(\/|$)/.test(path);

const isSameDirectory = (one: string, other: string): boolean => {
  const [a, b] = [statSync(one, { throwIfNoEntry: false }), statSync(other)];
  return a !== undefined && a.dev === b.dev && a.ino === b.ino;
};
