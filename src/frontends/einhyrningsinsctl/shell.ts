// einhyrningsinsctl's shell: its greeting, and what completes its lines.
import type { Output } from "../../commands/output.ts";
import { COMMANDS, SIGNALS } from "../../control/dialects/einhyrningsins.ts";
import { LEAVING, runShell, type Shell, signalsFor } from "../line-shell.ts";

/** Runs until the end of the input, ^C, or `quit`; gives the exit status. Throws what `answer` does. */
export const shell = async (out: Output, answer: Shell["answer"]): Promise<number> => {
  out.write("The shell of einhyrningsins: 'help' lists its commands, 'quit' ends it\n");
  await runShell({ out, complete, answer });
  return 0;
};

/** The words that the last one begins, and what of the line they stand for. */
export const complete = (line: string): [string[], string] => {
  const [, signal] = /^\s*signal\s+(\S*)$/.exec(line) ?? [];
  if (signal !== undefined) return [signalsFor(signal, SIGNALS), signal];
  return [[...Object.keys(COMMANDS), ...LEAVING].filter((name) => name.startsWith(line)), line];
};
