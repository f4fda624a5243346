// The Python that tests start hundreds of times. A version manager (pyenv, asdf) puts a wrapper script for an interpreter
// with its own packages into PATH, which takes three times as long to start as Debian's.
import { existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const PLAIN = "/usr/bin/python3";

/** PATH after a directory, created below `root`, with only the system's python3; PATH itself if it finds that anyway. */
export const pathWithPlainPython = (path: string, root: string): string => {
  if (!existsSync(PLAIN) || Bun.which("python3", { PATH: path }) === PLAIN) return path;
  const directory = join(root, "build/python");
  mkdirSync(directory, { recursive: true });
  rmSync(join(directory, "python3"), { force: true });
  symlinkSync(PLAIN, join(directory, "python3"));
  return `${directory}:${path}`;
};
