// The shell of the control programs: a prompt, lines that are edited on a terminal, and what each of them is answered.
import { host } from "#host";
import type { Output } from "../commands/output.ts";
import type { Completer } from "./line-editor/completion.ts";
import { LineEditor } from "./line-editor/editor.ts";
import type { Lines } from "./line-editor/lines.ts";
import { PlainLines } from "./line-editor/plain-lines.ts";

/** The words that end a shell, besides ^C and the end of the input. */
export const LEAVING: readonly string[] = ["exit", "quit"];

const PROMPT = "> ";

export type Shell = {
  readonly out: Output;
  readonly complete: Completer;
  /** Takes one line and prints what it leads to. */
  readonly answer: (line: string) => Promise<void>;
};

/** The signals that a word begins, with or without SIG as it has them. */
export const signalsFor = (word: string, signals: readonly string[]): string[] => {
  const begun = word.toUpperCase();
  const names = begun.startsWith("SIG") ? signals : signals.map((name) => name.slice(3));
  return names.filter((name) => name.startsWith(begun));
};

/** Runs until the end of the input, ^C, or a word of LEAVING. Rejects when a line cannot be answered. */
export const runShell = async ({ out, complete, answer }: Shell): Promise<void> => {
  const lines = openLines(out, complete);
  try {
    // ^C ends it while a line is answered too; the answer is not waited for then.
    await Promise.race([takeLines(lines, answer), lines.interrupted]);
  } finally {
    lines.close();
  }
};

const openLines = (out: Output, complete: Completer): Lines => {
  const { terminal, processes } = host;
  const isPlain = !terminal.isTerminal(0) || !terminal.isTerminal(1) || processes.variable("TERM") === "dumb";
  return isPlain ? new PlainLines(out, PROMPT) : new LineEditor(out, PROMPT, complete);
};

const takeLines = async (lines: Lines, answer: (line: string) => Promise<void>): Promise<void> => {
  for (let text = await lines.next(); text !== null; text = await lines.next()) {
    for (const line of text.split("\n").map((part) => part.trim())) {
      if (LEAVING.includes(line)) return;
      if (line === "") continue;
      lines.remember(line);
      await answer(line);
    }
  }
};
