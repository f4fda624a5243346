// A real crank for a test: its own prefix, every process noted and ended by pid, its output kept.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const ROOT = resolve(import.meta.dir, "../../..");
/** The checkout whose programs run: this one, or, for `make bench`, another one that was built. */
export const BUILD = process.env.CRANK_BENCH_BUILD ?? ROOT;
export const CRANK = join(BUILD, "bin/crank");
export const CRANKCTL = join(BUILD, "bin/crankctl");

/** How long a condition may take before the test fails; generous, because the machine may be busy. */
const PATIENCE_MS = 60_000;

/** A look often starts a command: the longer the wait, the rarer the looks, and no wait becomes a tenth longer by it. */
const pauseAfter = (waitedMs: number): number => Math.min(100, Math.max(5, waitedMs / 10));

/** Waits until `look` gives something other than null, undefined or false. */
export const waitFor = async <T>(what: string, look: () => T | Promise<T>): Promise<NonNullable<Exclude<T, false>>> => {
  const begun = performance.now();
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) return seen as NonNullable<Exclude<T, false>>;
    const waited = performance.now() - begun;
    if (waited > PATIENCE_MS) throw new Error(`waited ${PATIENCE_MS / 1000} s in vain for ${what}`);
    await Bun.sleep(pauseAfter(waited));
  }
};

export type Ended = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

/** A process of the test, with what it has said so far. */
export type Running = {
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** Waits until it has written this. Its output may come later than what else can be seen of it: assert nothing at once. */
  wrote(stream: "stdout" | "stderr", words: string | RegExp): Promise<void>;
  readonly ended: Promise<Ended>;
  signal(name: NodeJS.Signals): void;
  /** Writes to its standard input, if it was started with one. */
  write(text: string): void;
};

export type StartOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** `pipe`: `write` goes there. */
  readonly stdin?: "ignore" | "pipe";
};

/** Everything that one test starts; `clean` ends it. */
export class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), "crank-test-"));
  #running: { readonly pid: number; readonly exited: Promise<number>; kill(signal: number): void }[] = [];

  /** Starts a program; its output is collected. */
  start(command: readonly string[], options: StartOptions = {}): Running {
    const child = Bun.spawn([...command], {
      cwd: options.cwd ?? this.directory,
      env: { ...process.env, ...options.env },
      stdin: options.stdin ?? "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#running.push(child);
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    const ended = Promise.all([child.exited, stdout.done, stderr.done]).then(() => ({
      status: child.exitCode,
      stdout: stdout.text(),
      stderr: stderr.text(),
    }));
    return {
      pid: child.pid,
      stdout: stdout.text,
      stderr: stderr.text,
      wrote: (stream, words) => hasText(stream === "stdout" ? stdout.text : stderr.text, words),
      ended,
      signal: (name) => child.kill(name),
      write: (text) => {
        child.stdin?.write(text);
      },
    };
  }

  /** Runs a program to its end. */
  run(command: readonly string[], options: StartOptions = {}): Promise<Ended> {
    return this.start(command, options).ended;
  }

  /** Starts crank with this bench's directory as its prefix and waits until its control socket is there. */
  async crank(name: string, args: readonly string[] = [], options: StartOptions = {}): Promise<Running> {
    const running = this.start([CRANK, "-prefix", this.directory, "-name", name, ...args], options);
    const socket = join(this.directory, `${name}.ctl`);
    await Promise.race([
      waitFor(`${socket} of crank`, () => existsSync(socket) && running.stderr().includes("Listening on")),
      running.ended.then((ended) => {
        throw new Error(`crank ended with ${ended.status}: ${ended.stderr}`);
      }),
    ]);
    return running;
  }

  /** Runs crankctl for one of this bench's cranks. */
  ctl(name: string, ...args: readonly string[]): Promise<Ended> {
    return this.run([CRANKCTL, "-prefix", this.directory, "-name", name, ...args]);
  }

  /** Ends every process that was started here, and what they left running, and removes the directory. */
  async clean(): Promise<void> {
    for (const child of this.#running) {
      if (isAlive(child.pid)) {
        // Stopped first, so that nothing is started any more while its children are being ended.
        signal(child.pid, "SIGSTOP");
        for (const pid of descendants(child.pid)) signal(pid, "SIGKILL");
        signal(child.pid, "SIGKILL");
      }
      await child.exited;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const hasText = async (text: () => string, words: string | RegExp): Promise<void> => {
  const isThere = (): boolean => (typeof words === "string" ? text().includes(words) : words.test(text()));
  await waitFor(`${words}`, isThere).catch((error: unknown) => {
    throw new Error(`${error}, after:\n${text()}`);
  });
};

/** The port of the first "Listening on tcp…" line. */
export const portOf = (crank: Running): number => {
  const match = /Listening on tcp[46]?:\/\/\S*:(\d+)/.exec(crank.stderr());
  if (!match) throw new Error(`no port in: ${crank.stderr()}`);
  return Number(match[1]);
};

/** Sends a signal to a process that may be gone already. */
export const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
};

/**
 * The supervisor's pid while it is awake: the descendant of the keeper that has the keeper's own arguments behind others. (A
 * worker that is just being started is called as the keeper is.)
 */
export const supervisorOf = (crank: { readonly pid: number }): number | undefined => {
  const own = argumentsOf(crank.pid);
  return descendants(crank.pid).find((pid) => own !== "" && argumentsOf(pid) !== own && argumentsOf(pid).endsWith(own));
};

const argumentsOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(1).join("\0");
  } catch {
    return "";
  }
};

export const isAlive = (pid: number): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
};

/** Every living process below `pid`. */
export const descendants = (pid: number): number[] => {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return children === ""
      ? []
      : children.split(" ").flatMap((child) => [Number(child), ...descendants(Number(child))]);
  } catch {
    return [];
  }
};

const collect = (stream: ReadableStream<Uint8Array>): { text(): string; readonly done: Promise<void> } => {
  const decoder = new TextDecoder();
  let text = "";
  const done = (async () => {
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  })();
  return { text: () => text, done };
};
