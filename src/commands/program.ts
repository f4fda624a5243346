// The end of every program that is called by people: its exit status, or one sentence where it found a fault. Nothing else
// of a program ends in a stack trace.
import { escapeControls } from "./terminal.ts";

/** EX_SOFTWARE of sysexits(3). */
const FAULT = 70;

const WRONG_USAGE = 2;

/** Runs a program to its end, and the process with it. */
export const runProgram = async (name: string, work: () => Promise<number>): Promise<never> => {
  const fail = (error: unknown): never => {
    // Last of all: a full screen is given back at the exit, and what was written on it is gone then.
    process.once("exit", () => {
      process.stderr.write(`${name}: ${escapeControls(sentence(error))}\n`);
      if (process.env.CRANK_DEBUG !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    });
    process.exit(isDirectoryGone(error) ? 1 : FAULT);
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  try {
    const args = process.argv.slice(2);
    // Almost always there is nothing to look at.
    const broken = args.some((argument) => argument.includes("\ufffd"))
      ? (await import("../supervisor/arguments.ts")).brokenArgument(args)
      : null;
    if (broken === null) process.exit(await work());
    process.stderr.write(`${name}: ${escapeControls(broken)}\n`);
    process.exit(WRONG_USAGE);
  } catch (error) {
    return fail(error);
  }
};

/** getcwd(2): the directory that the program was started in was removed. */
const isDirectoryGone = (error: unknown): boolean =>
  error instanceof Error &&
  "code" in error &&
  error.code === "ENOENT" &&
  /cwd/.test(`${error.message} ${"syscall" in error ? error.syscall : ""}`);

const sentence = (error: unknown): string => {
  if (isDirectoryGone(error))
    return "the working directory does not exist any more: change to another one, and try again";
  const what = error instanceof Error ? error.message : String(error);
  return `unexpected answer or fault: ${what}; set CRANK_DEBUG=1 to see where`;
};
