// This process and others on the engine's host calls.
import type { Answer, Identity, Processes } from "../processes.ts";
import { MOST_OUTPUT } from "../processes.ts";
import { SIGNALS } from "../signals.ts";
import { calls, checked, EAGAIN, EINTR } from "./calls.ts";
import { addTimer, addWatch, READABLE, removeTimer, removeWatch, type Watch } from "./loop.ts";
import { decodeText } from "./text.ts";
import { onUncaught } from "./uncaught.ts";

const identity = (): Identity => {
  const [pid, parent, uid, gid] = calls.identity();
  return { pid, parent, uid, gid };
};

/** If a variable occurs twice the first counts, as in getenv(3). */
const environment = (): Readonly<Record<string, string>> => {
  const variables: Record<string, string> = {};
  for (const entry of calls.environment()) {
    const equals = entry.indexOf("=");
    const name = entry.slice(0, equals);
    if (equals > 0 && !Object.hasOwn(variables, name)) variables[name] = entry.slice(equals + 1);
  }
  return variables;
};

const variable = (name: string): string | undefined => {
  const start = `${name}=`;
  for (const entry of calls.environment()) if (entry.startsWith(start)) return entry.slice(start.length);
  return undefined;
};

const NOTHING = new Uint8Array(0);

/** A running program, and its output so far. */
class Asked {
  readonly pid: number;
  readonly fd: number;
  readonly #output = new Uint8Array(MOST_OUTPUT);
  /** CLOCK_MONOTONIC, ms. */
  readonly #until: number;
  #length = 0;

  constructor(argv: readonly string[], limitMs: number) {
    this.#until = calls.monotonicNow() + limitMs;
    const [pid, fd] = checked(calls.start(argv), "start", argv[0]);
    this.pid = pid;
    this.fd = fd;
  }

  /** Reads what is available. Returns false at the end, or if there is too much. */
  read(): boolean {
    const count = calls.read(this.fd, this.#output, this.#length, MOST_OUTPUT - this.#length, -1);
    if (count === EAGAIN || count === EINTR) return true;
    if (count > 0) this.#length += count;
    return count > 0 && this.#length < MOST_OUTPUT;
  }

  get msLeft(): number {
    return Math.max(0, this.#until - calls.monotonicNow());
  }

  /** The output has ended, or the time limit has passed. */
  finish(): Answer {
    calls.close(this.fd);
    const status = this.#status();
    const output = decodeText(this.#output.subarray(0, this.#length));
    return { status: status < 0 || status > 255 ? null : status, output };
  }

  /** Waits for its end, and kills it at the time limit: it may run on after it has closed its output. */
  #status(): number {
    for (; this.msLeft > 0; calls.poll(NOTHING, 0, 1)) {
      const status = calls.wait(this.pid, false);
      if (status !== EAGAIN) return status;
    }
    calls.kill(this.pid, SIGNALS.SIGKILL);
    return calls.wait(this.pid, true);
  }
}

const ask = async (argv: readonly string[], limitMs: number): Promise<Answer> => {
  const asked = new Asked(argv, limitMs);
  return new Promise((resolve) => {
    const finish = (): void => {
      removeWatch(watch);
      removeTimer(timer);
      resolve(asked.finish());
    };
    const ready = (): void => {
      if (!asked.read()) finish();
    };
    const watch: Watch = { fd: asked.fd, events: READABLE, holds: true, ready };
    const timer = addTimer(limitMs, null, finish);
    addWatch(watch);
  });
};

const askNow = (argv: readonly string[], limitMs: number): Answer => {
  const asked = new Asked(argv, limitMs);
  const pair = new Int32Array(2);
  for (let left = limitMs; left > 0; left = asked.msLeft) {
    pair.set([asked.fd, READABLE]);
    if (calls.poll(new Uint8Array(pair.buffer), 1, left) > 0 && !asked.read()) break;
  }
  return asked.finish();
};

export const engineProcesses: Processes = {
  runtime: `quickjs-ng ${calls.engineVersion()}`,
  identity,
  // Without the program's name and the command's (keeper/main/programs.c).
  arguments: () => calls.processArguments().slice(2),
  environment,
  variable,
  workingDirectory: () => checked(calls.workingDirectory(), "getcwd"),
  exit: (status) => calls.exit(status & 0xff),
  onUncaught,
  kill: (pid, signal) => {
    checked(calls.kill(pid, signal), "kill", String(pid));
  },
  setPriority: (pid, nice) => {
    checked(calls.setPriority(pid, nice), "setpriority", String(pid));
  },
  ask,
  askNow,
};
