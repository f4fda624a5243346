// Signal names and numbers (signal(7), the numbers of x86-64 and aarch64).

const NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPWR: 30,
  SIGSYS: 31,
};
const NAMES = new Map(Object.entries(NUMBERS).map(([name, number]) => [number, name]));

/** Parses a signal name, with or without SIG, in upper or lower case; null if there is no such signal. */
export const parseSignal = (text: string): string | null => {
  const upper = text.toUpperCase();
  const name = upper.startsWith("SIG") ? upper : `SIG${upper}`;
  return Object.hasOwn(NUMBERS, name) || REALTIME.test(name) ? name : null;
};

// The C library keeps the first two real-time signals for itself, so SIGRTMIN is 34.
const REALTIME = /^SIGRTMIN(\+([0-9]|[12][0-9]|30))?$/;
const RTMIN = 34;

/** The number of a name from `parseSignal`. */
export const signalNumber = (name: string): number => NUMBERS[name] ?? RTMIN + Number(name.split("+")[1] ?? 0);

export const signalName = (number: number): string =>
  NAMES.get(number) ?? (number >= RTMIN ? `SIGRTMIN+${number - RTMIN}` : `signal ${number}`);
