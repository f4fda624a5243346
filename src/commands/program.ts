// The frame of every command: its arguments, its exit status, or one sentence for an internal fault. No failure prints a stack
// trace.
import { host } from "#host";
import { brokenArgument } from "../supervisor/startup/arguments.ts";
import { Output, OutputError } from "./output.ts";
import { escapeControls } from "./terminal.ts";

/** A program: gets its arguments and its environment, and returns its exit status. */
export type Work = (
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
) => Promise<number>;

/** EX_SOFTWARE of sysexits(3). */
const FAULT = 70;

const WRONG_USAGE = 2;

const leaving = new Set<() => void>();

/** Calls `act` when the program ends for any reason. Returns a function that cancels that. */
export const atEnd = (act: () => void): (() => void) => {
  leaving.add(act);
  return () => void leaving.delete(act);
};

const leave = (): void => {
  for (const act of leaving) {
    leaving.delete(act);
    act();
  }
};

/** Ends the program. */
export const endProgram = (status: number): never => {
  leave();
  return host.processes.exit(status);
};

/** Runs a program to its end, and the process with it. */
export const runProgram = async (name: string, work: Work): Promise<never> => {
  const { processes } = host;
  const environment = processes.environment();
  const fail = (error: unknown): never => {
    // A full screen is left first, because its content disappears.
    leave();
    say(`${name}: ${escapeControls(sentence(error))}\n`);
    if (environment.CRANK_DEBUG !== undefined && error instanceof Error) say(`${error.stack}\n`);
    return processes.exit(isOfSystem(error) ? 1 : FAULT);
  };
  processes.onUncaught(fail);
  try {
    const args = processes.arguments();
    const broken = brokenArgument(args);
    if (broken === null) return endProgram(await work(args, environment));
    say(`${name}: ${escapeControls(broken)}\n`);
    return processes.exit(WRONG_USAGE);
  } catch (error) {
    return fail(error);
  }
};

const say = (text: string): void => {
  try {
    new Output(2).write(text);
  } catch {
    // There is no other place to report it.
  }
};

/** getcwd(2): the directory that the program was started in was removed. */
const isDirectoryGone = (error: unknown): boolean =>
  error instanceof Error &&
  "code" in error &&
  error.code === "ENOENT" &&
  /cwd/.test(`${error.message} ${"syscall" in error ? error.syscall : ""}`);

/** The cause is the environment, not the program. */
const isOfSystem = (error: unknown): boolean => isDirectoryGone(error) || error instanceof OutputError;

const sentence = (error: unknown): string => {
  if (error instanceof OutputError) return error.message;
  if (isDirectoryGone(error)) return "the working directory does not exist any more: change to another one and retry";
  const what = error instanceof Error ? error.message : String(error);
  return `unexpected answer or fault: ${what}; set CRANK_DEBUG=1 to see where`;
};
