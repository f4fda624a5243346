// The Python that tests start, hundreds of times. What a version manager (pyenv, asdf) puts in PATH is a script in front of an
// interpreter with its own packages: the two take three times as long to start as Debian's.
import { existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const PLAIN = "/usr/bin/python3";

/** PATH with a directory in front, made below `root`, that holds the system's python3 alone; PATH itself where that is found anyway. */
export const pathWithPlainPython = (path: string, root: string): string => {
  if (!existsSync(PLAIN) || Bun.which("python3", { PATH: path }) === PLAIN) return path;
  const directory = join(root, "build/python");
  mkdirSync(directory, { recursive: true });
  rmSync(join(directory, "python3"), { force: true });
  symlinkSync(PLAIN, join(directory, "python3"));
  return `${directory}:${path}`;
};
