// einhornsh's shell: what completes its lines.
import type { Output } from "../../commands/output.ts";
import { EINHORN_COMMANDS } from "../../control/dialects/einhorn.ts";
import { LEAVING, runShell, type Shell, signalsFor } from "../line-shell.ts";

/** Runs until the end of the input, ^C, or `quit`; gives the exit status. Throws what `answer` does. */
export const shell = async (out: Output, answer: Shell["answer"]): Promise<number> => {
  await runShell({ out, complete, answer });
  return 0;
};

/** What workers are sent by hand. The master takes any other signal too. */
const SIGNALS: readonly string[] = [
  ...["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGKILL", "SIGUSR1", "SIGUSR2"],
  ...["SIGTTIN", "SIGTTOU", "SIGSTOP", "SIGCONT"],
];

/** The words that the last one begins, and what of the line they stand for. */
export const complete = (line: string): [string[], string] => {
  const [, signal] = /^\s*(?:die|signal(?:\s+\S+)*)\s+(\S*)$/.exec(line) ?? [];
  if (signal !== undefined) return [signalsFor(signal, SIGNALS), signal];
  return [[...Object.keys(EINHORN_COMMANDS), ...LEAVING].filter((name) => name.startsWith(line)), line];
};
