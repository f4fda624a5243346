// Finds the processes that a test file started, however they were detached: by a mark in their environment, or by an
// executable in the file's own temporary directory. So several runs can work at the same time.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** The environment variable that everything a test starts inherits. */
export const MARK = "CRANK_TEST_RUN";

export type Found = { readonly pid: number; readonly command: string };

const read = (path: string): string => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // it has exited, or is a kernel thread
  }
};

const executableOf = (pid: string): string => {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
};

/** Processes with this mark that still run; a zombie has nothing left to clean up. */
export const processesOf = (mark: string): readonly Found[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      const isMarked = read(`/proc/${pid}/environ`).split("\0").includes(`${MARK}=${mark}`);
      return isMarked || executableOf(pid).startsWith(`${mark}/`);
    })
    .filter((pid) => !/\) Z /.test(read(`/proc/${pid}/stat`)))
    .map((pid) => ({
      pid: Number(pid),
      command: read(`/proc/${pid}/cmdline`).split("\0").join(" ").trim().slice(0, 200),
    }));

/** Ends them at once. */
export const endProcesses = (found: readonly Found[]): void => {
  for (const { pid } of found) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // it has exited
    }
  }
};
