// Processes as /proc shows them: which exist, to what they belong, and how a test ends them.
import { readdirSync, readFileSync } from "node:fs";
import { waitFor } from "./wait.ts";

/** Sends a signal to a process that may have ended already. */
export const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
};

/**
 * The supervisor's pid while it is awake: the descendant of the keeper whose arguments end with the keeper's own. (A worker
 * that is just being started has the same arguments as the keeper.)
 */
export const supervisorOf = (crank: { readonly pid: number }): number | undefined => {
  const own = argumentsOf(crank.pid);
  return descendants(crank.pid).find((pid) => own !== "" && argumentsOf(pid) !== own && argumentsOf(pid).endsWith(own));
};

const argumentsOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(1).join("\0");
  } catch {
    return "";
  }
};

export const isAlive = (pid: number): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
};

/** The environment that a process was started with. */
export const environmentOf = (pid: number): ReadonlyMap<string, string> =>
  new Map(
    readFileSync(`/proc/${pid}/environ`, "utf8")
      .split("\0")
      .filter((pair) => pair !== "")
      .map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)] as const),
  );

/** Every living process below `pid`. */
export const descendants = (pid: number): number[] => {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return children === ""
      ? []
      : children.split(" ").flatMap((child) => [Number(child), ...descendants(Number(child))]);
  } catch {
    return [];
  }
};

/** Kills crank's two processes, as the OOM killer would. */
export const killCrank = async (crank: { readonly pid: number }): Promise<void> => {
  const supervisor = supervisorOf(crank);
  process.kill(crank.pid, "SIGKILL");
  if (supervisor !== undefined && isAlive(supervisor)) {
    try {
      process.kill(supervisor, "SIGKILL");
    } catch {
      // It died with its parent.
    }
  }
  await waitFor("the end of crank", () => !isAlive(crank.pid));
};

/** Every process whose environment names something below this directory. */
const leftProcesses = (directory: string): number[] =>
  readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      return readFileSync(`/proc/${name}/environ`, "utf8").includes(`${directory}/`) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });

/** Ends what a killed crank has left, found by the test's directory in its environment. */
export const endLeft = async (directory: string): Promise<void> => {
  for (const pid of leftProcesses(directory)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has just ended.
    }
  }
  await waitFor("the end of what was left", () => leftProcesses(directory).every((pid) => !isAlive(pid)));
};
