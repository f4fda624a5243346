// The processor time of a test file with all that it started. Keepers leave their parents, so a parent's times miss them:
// each file has a control group (v2) of its own if this process may create one, as root may.
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The directory of this process's control groups, or null. cgroups(7) */
const ownGroup = (): string | null => {
  try {
    const mounted = /^\S+ \S+ \S+ \/ (\S+) .* - cgroup2 /m.exec(readFileSync("/proc/self/mountinfo", "utf8"))?.[1];
    const path = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
    return mounted === undefined || path === undefined ? null : join(mounted, path);
  } catch {
    return null;
  }
};

/** Fails while a process that has just exited is still in it. */
const remove = (group: string): boolean => {
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
};

const OWN = ownGroup();
let made = 0;

export type ProcessorTime = {
  /** Counts a process, and everything that it starts from now on. */
  readonly add: (pid: number) => void;
  /** The time that they have used: ms. Ends the counting; called when they have exited. */
  readonly end: () => number;
};

/** Starts to count, or null if no control group can be created. */
export const countProcessorTime = (): ProcessorTime | null => {
  if (OWN === null) return null;
  const group = join(OWN, `crank-test-${process.pid}-${++made}`);
  try {
    mkdirSync(group);
  } catch {
    return null;
  }
  return {
    add: (pid) => {
      try {
        writeFileSync(join(group, "cgroup.procs"), String(pid));
      } catch {
        // It has exited, or the group may have no processes: then nothing is counted.
      }
    },
    end: () => {
      const used = Number(/^usage_usec (\d+)$/m.exec(readFileSync(join(group, "cpu.stat"), "utf8"))?.[1] ?? 0) / 1000;
      if (!remove(group)) process.once("exit", () => remove(group));
      return used;
    },
  };
};
