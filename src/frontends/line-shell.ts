// The shell of the control programs: a prompt, a history for as long as it runs, and completion. The one part that wants
// node:readline, which is therefore loaded with it.
import type { Interface } from "node:readline";
import type { Output } from "../commands/output.ts";

/** The words that end a shell, besides ^C and the end of the input. */
export const LEAVING: readonly string[] = ["exit", "quit"];

export type Shell = {
  readonly out: Output;
  /** The words that the last one of the line begins, and what of the line they stand for, as node:readline wants them. */
  readonly complete: (line: string) => [string[], string];
  /** Takes one line and prints what it leads to. */
  readonly answer: (line: string) => Promise<void>;
};

/** Runs until the end of the input, ^C, or a word of LEAVING. Rejects when a line cannot be answered. */
export const runShell = async ({ out, complete, answer }: Shell): Promise<void> => {
  const { createInterface } = await import("node:readline");
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: "> ", completer: complete });
  try {
    await takeLines(lines, answer);
  } finally {
    lines.close();
    out.write("\n");
  }
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
