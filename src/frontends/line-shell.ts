// The shell of the control programs: a prompt, lines that are edited on a terminal, and their answers.
import { host } from "#host";
import type { Output } from "../commands/output.ts";
import type { Completer } from "./line-editor/completion.ts";
import { LineEditor } from "./line-editor/editor.ts";
import type { Lines } from "./line-editor/lines.ts";
import { PlainLines } from "./line-editor/plain-lines.ts";

/** The words that end a shell, besides ^C and the end of the input. */
const LEAVING: readonly string[] = ["exit", "quit"];

const PROMPT = "> ";

/** What a program's shell has of its own. */
export type Shell = {
  /** Printed before the first prompt. */
  readonly greeting: string;
  /** The commands that it completes. */
  readonly commands: readonly string[];
  /** The signals that it completes behind the commands that take one: `takesSignal` has the word as its first group. */
  readonly signals: readonly string[];
  readonly takesSignal: RegExp;
};

/** Completes a line: the words that its last one begins, and what of the line they stand for. */
export const completerOf =
  ({ commands, signals, takesSignal }: Shell): Completer =>
  (line) => {
    const [, signal] = takesSignal.exec(line) ?? [];
    if (signal !== undefined) return [signalsFor(signal, signals), signal];
    return [[...commands, ...LEAVING].filter((name) => name.startsWith(line)), line];
  };

/** The signals that begin with a word, with or without SIG like the word. */
const signalsFor = (word: string, signals: readonly string[]): string[] => {
  const begun = word.toUpperCase();
  const names = begun.startsWith("SIG") ? signals : signals.map((name) => name.slice(3));
  return names.filter((name) => name.startsWith(begun));
};

/** Sends a command with its arguments, and prints the answer. */
export type Ask = (command: string, args: readonly string[]) => Promise<void>;

/** Runs until the end of the input, ^C, or a word of LEAVING. Rejects when a line cannot be answered. */
export const runShell = async (shell: Shell, out: Output, ask: Ask): Promise<void> => {
  if (shell.greeting !== "") out.write(shell.greeting);
  const lines = openLines(out, completerOf(shell));
  try {
    // ^C also ends it while a line is answered; then the answer is not waited for.
    await Promise.race([takeLines(lines, ask), lines.interrupted]);
  } finally {
    lines.close();
  }
};

const openLines = (out: Output, complete: Completer): Lines => {
  const { terminal, processes } = host;
  const isPlain = !terminal.isTerminal(0) || !terminal.isTerminal(1) || processes.variable("TERM") === "dumb";
  return isPlain ? new PlainLines(out, PROMPT) : new LineEditor(out, PROMPT, complete);
};

/** Sends a line, its first word the command. */
export const askLine = async (line: string, ask: Ask): Promise<void> => {
  const [command = "", ...args] = line.trim().split(/\s+/);
  await ask(command, args);
};

const takeLines = async (lines: Lines, ask: Ask): Promise<void> => {
  for (let text = await lines.next(); text !== null; text = await lines.next()) {
    for (const line of text.split("\n").map((part) => part.trim())) {
      if (LEAVING.includes(line)) return;
      if (line === "") continue;
      lines.remember(line);
      await askLine(line, ask);
    }
  }
};
