// This process, and others.

export type Identity = { readonly pid: number; readonly parent: number; readonly uid: number; readonly gid: number };

/** What became of a program that was asked. `status` is null if a signal ended it, or if it took too long. */
export type Answer = { readonly status: number | null; readonly output: string };

export type Processes = {
  /** What runs this TypeScript, and its version: `quickjs-ng 0.18.0`. */
  readonly runtime: string;
  identity(): Identity;
  /** What the command was called with, behind its name. */
  arguments(): readonly string[];
  environment(): Readonly<Record<string, string | undefined>>;
  /** One variable of it. */
  variable(name: string): string | undefined;
  workingDirectory(): string;
  /** Ends this process at once. */
  exit(status: number): never;
  /** Called with what was thrown and not caught, or rejected and not taken; it ends the process. */
  onUncaught(handler: (error: unknown) => void): void;
  /** `signal` 0 only asks whether it could be sent. A negative pid is a process group. Throws HostError. */
  kill(pid: number, signal: number): void;
  /** The nice value of a process; 0 is this one. Throws HostError. */
  setPriority(pid: number, nice: number): void;
  /** Starts a program of PATH without input, and resolves to what it prints, at most 64 KiB. Rejects with HostError if it cannot be started. */
  ask(words: readonly string[], limitMs: number): Promise<Answer>;
  /** The same, and waits for it. */
  askNow(words: readonly string[], limitMs: number): Answer;
};

/** More than any program that is asked (getent) prints. */
export const MOST_OUTPUT = 64 * 1024;
