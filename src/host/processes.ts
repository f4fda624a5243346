// This process, and others.

export type Identity = { readonly pid: number; readonly parent: number; readonly uid: number; readonly gid: number };

/** The result of a program. `status` is null if a signal ended it, or if it exceeded the time limit. */
export type Answer = { readonly status: number | null; readonly output: string };

export type Processes = {
  /** The runtime of this TypeScript, with its version: `quickjs-ng 0.18.0`. */
  readonly runtime: string;
  identity(): Identity;
  /** The arguments of the command, without its name. */
  arguments(): readonly string[];
  environment(): Readonly<Record<string, string | undefined>>;
  /** One environment variable. */
  variable(name: string): string | undefined;
  workingDirectory(): string;
  /** Ends this process at once. */
  exit(status: number): never;
  /** Sets the handler of uncaught exceptions and unhandled rejections; it ends the process. */
  onUncaught(handler: (error: unknown) => void): void;
  /** `signal` 0 only checks whether a signal could be sent. A negative pid is a process group. Throws HostError. */
  kill(pid: number, signal: number): void;
  /** Sets the nice value of a process; 0 is this one. Throws HostError. */
  setPriority(pid: number, nice: number): void;
  /**
   * Starts a program of PATH without input, and resolves to its output, at most 64 KiB. Rejects with HostError if it
   * cannot be started.
   */
  ask(argv: readonly string[], limitMs: number): Promise<Answer>;
  /** The same, synchronously. */
  askNow(argv: readonly string[], limitMs: number): Answer;
};

/** More than any program that crank runs this way (getent) prints. */
export const MOST_OUTPUT = 64 * 1024;
