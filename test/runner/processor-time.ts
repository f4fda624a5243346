// How much processor time a test file took with all that it started. Keepers leave their parents, so a parent's times miss
// them: each file has a control group (v2) of its own where this process may make one, as root may.
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where control groups of this process are, or null. cgroups(7) */
const ownGroup = (): string | null => {
  try {
    const mounted = /^\S+ \S+ \S+ \/ (\S+) .* - cgroup2 /m.exec(readFileSync("/proc/self/mountinfo", "utf8"))?.[1];
    const path = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
    return mounted === undefined || path === undefined ? null : join(mounted, path);
  } catch {
    return null;
  }
};

/** Not while a process that has just ended is still in it. */
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
  /** Counts a process, and what it starts from now on. */
  readonly add: (pid: number) => void;
  /** What they have used by now: ms. Ends the counting; called when they are gone. */
  readonly end: () => number;
};

/** Begins to count, or null where no control group can be made. */
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
        // It is gone already, or the group may have no processes: then nothing is counted.
      }
    },
    end: () => {
      const used = Number(/^usage_usec (\d+)$/m.exec(readFileSync(join(group, "cpu.stat"), "utf8"))?.[1] ?? 0) / 1000;
      if (!remove(group)) process.once("exit", () => remove(group));
      return used;
    },
  };
};
