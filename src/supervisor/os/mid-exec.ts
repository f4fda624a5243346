// Processes in the middle of execve(2). Until the kernel has closed the close-on-exec descriptors, reading most files
// of such a process in /proc blocks (stat, the links of fd/ and ns/, environ), for as long as a FUSE file system takes.
import { host } from "#host";
import { beginningAt } from "./system-files.ts";

const { clock } = host;

/** An ordinary execve ends within this time, ms. */
const PATIENCE_MS = 20;
/** A result is valid for PERIOD_MS. In each such period at most BUDGET_MS are spent waiting. */
const PERIOD_MS = 5000;
const BUDGET_MS = 200;

const held = new Set<number>();
let periodUntil = 0;
let waitedMs = 0;

/**
 * Whether a process stays in the middle of execve(2), so that no blocking file of it may be read. The supervisor checks
 * this before it reads. The keeper reads such files in a process that it can give up.
 */
export const isMidExec = (pid: number): boolean => {
  if (!isBetweenPrograms(pid)) return false;
  const begun = clock.monotonicNow();
  if (begun >= periodUntil) {
    held.clear();
    periodUntil = begun + PERIOD_MS;
    waitedMs = 0;
  }
  if (held.has(pid) || waitedMs >= BUDGET_MS) return true;
  while (clock.monotonicNow() - begun < PATIENCE_MS) if (!isBetweenPrograms(pid)) return false;
  waitedMs += clock.monotonicNow() - begun;
  held.add(pid);
  return true;
};

/** Reading proc_pid_statm(5) does not block. In execve the memory is new: it has a stack, but no program yet. */
const isBetweenPrograms = (pid: number): boolean => {
  const statm = beginningAt(`/proc/${pid}/statm`) ?? "";
  // Fast path: nearly all processes have a program, whose size is the fourth number.
  const third = statm.indexOf(" ", statm.indexOf(" ", statm.indexOf(" ") + 1) + 1);
  return statm.startsWith(" 0 ", third) && BETWEEN_PROGRAMS.test(statm);
};
/** Size, two others, text 0, another, and data equal to the size. */
const BETWEEN_PROGRAMS = /^([1-9]\d*) \d+ \d+ 0 \d+ \1 /;
