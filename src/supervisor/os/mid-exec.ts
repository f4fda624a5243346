// Processes in the middle of execve(2). Until the kernel has closed what is to be closed there, most of what /proc shows of such
// a process makes the reader wait (stat, the links of fd/ and ns/, environ), for as long as a file system of its own likes.
import { host } from "#host";
import { beginningAt } from "./system-files.ts";

const { clock } = host;

/** An ordinary execve is over by then, ms. */
const PATIENCE_MS = 20;
/** What was found is true for so long, ms; so much is waited in that time, ms. */
const PERIOD_MS = 5000;
const BUDGET_MS = 200;

const held = new Set<number>();
let periodUntil = 0;
let waitedMs = 0;

/**
 * Whether a process stays in the middle of execve(2), so that nothing may be read of it that waits. The supervisor looks before
 * it reads; the keeper, which ends one that stands still, reads such files in a process that it can give up.
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

/** proc_pid_statm(5) does not wait. Its memory is new then, and has a stack, and no program yet. */
const isBetweenPrograms = (pid: number): boolean => {
  const statm = beginningAt(`/proc/${pid}/statm`) ?? "";
  // Most have a program, and the fourth number is how large it is.
  const third = statm.indexOf(" ", statm.indexOf(" ", statm.indexOf(" ") + 1) + 1);
  return statm.startsWith(" 0 ", third) && BETWEEN_PROGRAMS.test(statm);
};
/** Size, two others, no text, another one, and as much data as its size. */
const BETWEEN_PROGRAMS = /^([1-9]\d*) \d+ \d+ 0 \d+ \1 /;
