// einhornsh's shell: what completes its lines.
import { EINHORN_COMMANDS } from "../../control/dialects/einhorn.ts";
import { LEAVING, runShell } from "../line-shell.ts";
import type { Connection } from "./connection.ts";
import { answerTo, type Sinks } from "./main.ts";

/** Runs until the end of the input, ^C, or `quit`; gives the exit status. Throws LostError. */
export const shell = async (connection: Connection, { out }: Sinks): Promise<number> => {
  await runShell({ out, complete, answer: (line) => answerTo(connection, line, out) });
  return 0;
};

/** The commands that a line begins, and what of the line they stand for. */
const complete = (line: string): [string[], string] => [
  [...Object.keys(EINHORN_COMMANDS), ...LEAVING].filter((name) => name.startsWith(line)),
  line,
];
