// The shell: a prompt, a history for as long as it runs, and the completion of commands. The one part that wants
// node:readline, which is therefore loaded with it.
import type { Interface } from "node:readline";
import { EINHORN_COMMANDS } from "../../control/dialects/einhorn.ts";
import type { Connection } from "./connection.ts";
import { answerTo, type Sinks } from "./main.ts";

const LEAVING = ["exit", "quit"];

/** Runs until the end of the input, ^C, or `quit`; gives the exit status. Throws LostError. */
export const shell = async (connection: Connection, { out }: Sinks): Promise<number> => {
  const { createInterface } = await import("node:readline");
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: "> ", completer: complete });
  try {
    await takeLines(lines, (line) => answerTo(connection, line, out));
  } finally {
    lines.close();
    await out.write("\n");
  }
  return 0;
};

/** Hands on one line after the other, until there are no more. Rejects when one cannot be answered. */
const takeLines = (lines: Interface, answer: (line: string) => Promise<void>): Promise<void> =>
  new Promise((resolve, reject) => {
    let work = Promise.resolve();
    let isOpen = true;
    let hasLeft = false;
    const take = async (line: string): Promise<void> => {
      if (LEAVING.includes(line)) {
        hasLeft = true;
        lines.close();
      }
      if (hasLeft) return;
      if (line !== "") await answer(line);
      if (isOpen) lines.prompt();
    };
    lines.on("line", (line) => {
      work = work.then(() => take(line.trim()));
      work.catch(reject);
    });
    lines.on("SIGINT", () => lines.close());
    lines.on("close", () => {
      isOpen = false;
      work.then(resolve, reject);
    });
    lines.prompt();
  });

/** The commands that a line begins, as node:readline wants them. */
export const complete = (line: string): [string[], string] => [
  [...Object.keys(EINHORN_COMMANDS), ...LEAVING].filter((name) => name.startsWith(line)),
  line,
];
