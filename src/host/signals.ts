// Signals to this process.

/** Linux, x86_64 and aarch64 (signal(7)): the signals that crank handles or sends. */
export const SIGNALS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGTERM: 15,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGWINCH: 28,
} as const;

export type SignalName = keyof typeof SIGNALS;

export type Signals = {
  /**
   * Calls the listener at each such signal, instead of its default action. Returns a function that undoes this. Does
   * not keep the process alive.
   */
  on(name: SignalName, listener: () => void): () => void;
};
