// Node's `process` on the host, in the part that crank uses. Nothing of it is asked before the program is started.
import { host } from "#host";
import { SIGNALS, type SignalName } from "../../src/host/signals.ts";
import { askNow } from "./modules.ts";

const { files, processes, signals, terminal, clock } = host;

type Listener = (...values: readonly unknown[]) => void;

/** Listeners by event; a signal is watched while it has some. */
class Emitter {
  readonly #listeners = new Map<string, Map<Listener, () => void>>();

  on(event: string, listener: Listener, forget: () => void = () => {}): void {
    const all = this.#listeners.get(event) ?? new Map<Listener, () => void>();
    all.set(listener, forget);
    this.#listeners.set(event, all);
  }

  off(event: string, listener: Listener): void {
    const all = this.#listeners.get(event);
    all?.get(listener)?.();
    all?.delete(listener);
  }

  /** Whether there was one. */
  emit(event: string, ...values: readonly unknown[]): boolean {
    const all = [...(this.#listeners.get(event)?.keys() ?? [])];
    for (const listener of all) listener(...values);
    return all.length > 0;
  }
}

const events = new Emitter();
const isSignal = (event: string): event is SignalName => Object.hasOwn(SIGNALS, event);
const encoder = new TextEncoder();
const PAUSE_MS = 5;

/** Writes all of it, however long that takes; false if there is no reader. */
const writeWhole = (fd: number, what: string | Uint8Array): boolean => {
  const bytes = typeof what === "string" ? encoder.encode(what) : what;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += files.write(fd, bytes.subarray(at));
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) return false;
      clock.pause(PAUSE_MS);
    }
  }
  return true;
};

const output = (fd: number) => ({
  fd,
  get isTTY(): boolean {
    return terminal.isTerminal(fd);
  },
  getWindowSize: (): readonly [number, number] => {
    const size = terminal.size(fd);
    return [size?.columns ?? 0, size?.rows ?? 0];
  },
  write: (what: string | Uint8Array): boolean => writeWhole(fd, what),
});

class Input {
  readonly fd = 0;
  readonly #events = new Emitter();
  #stop: (() => void) | null = null;

  get isTTY(): boolean {
    return terminal.isTerminal(0);
  }

  on(event: string, listener: Listener): this {
    this.#events.on(event, listener);
    if (event === "data") this.resume();
    return this;
  }

  off(event: string, listener: Listener): this {
    this.#events.off(event, listener);
    return this;
  }

  resume(): this {
    const typed = (text: string): void => void this.#events.emit("data", text);
    this.#stop ??= terminal.read({ typed, ended: () => void this.#events.emit("end") });
    return this;
  }

  pause(): this {
    this.#stop?.();
    this.#stop = null;
    return this;
  }

  setRawMode(isRaw: boolean): this {
    terminal.setRaw(isRaw ? "raw" : "cooked");
    return this;
  }
}

let isLeaving = false;

class Process {
  argv: string[] = [];
  env: Record<string, string | undefined> = {};
  pid = 0;
  ppid = 0;
  exitCode = 0;
  readonly platform = "linux";
  readonly versions = { node: "20.0.0" };
  readonly stdin = new Input();
  readonly stdout = output(1);
  readonly stderr = output(2);

  getuid(): number {
    return processes.identity().uid;
  }

  getgid(): number {
    return processes.identity().gid;
  }

  cwd(): string {
    return processes.workingDirectory();
  }

  kill(pid: number, signal: SignalName | number): true {
    processes.kill(pid, typeof signal === "number" ? signal : SIGNALS[signal]);
    return true;
  }

  exit(status = this.exitCode): never {
    if (!isLeaving) {
      isLeaving = true;
      events.emit("exit", status);
    }
    return processes.exit(status);
  }

  on(event: string, listener: Listener): this {
    events.on(event, listener, isSignal(event) ? signals.on(event, () => listener(event, SIGNALS[event])) : () => {});
    return this;
  }

  off(event: string, listener: Listener): this {
    events.off(event, listener);
    return this;
  }

  once(event: string, listener: Listener): this {
    const call: Listener = (...values) => {
      this.off(event, call);
      listener(...values);
    };
    return this.on(event, call);
  }

  getBuiltinModule(): { readonly spawnSync: typeof askNow } {
    return { spawnSync: askNow };
  }
}

export const process = new Process();

/** Fills in what is known only now, and gives the command that was called its end. */
export const beginProcess = (): void => {
  const { pid, parent } = processes.identity();
  process.argv = ["crank", "crank", ...processes.arguments()];
  process.env = { ...processes.environment() };
  process.pid = pid;
  process.ppid = parent;
  processes.onUncaught((error) => {
    if (events.emit("uncaughtException", error)) return;
    process.stderr.write(`${error instanceof Error ? `${error}\n${error.stack}` : `Uncaught ${String(error)}`}\n`);
    process.exit(1);
  });
};
