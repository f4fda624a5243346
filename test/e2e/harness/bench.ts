// What a test starts: its own directory, and processes that are recorded, ended by pid, and whose output is kept.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { descendants, isAlive, signal } from "./processes.ts";
import { waitFor } from "./wait.ts";

export const ROOT = resolve(import.meta.dir, "../../..");
/** The checkout whose programs run: this one or, for `make bench`, another one that was built. */
export const BUILD = process.env.CRANK_BENCH_BUILD ?? ROOT;
export const CRANK = join(BUILD, "bin/crank");
export const CRANKCTL = join(BUILD, "bin/crankctl");

export type Ended = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

/** A process of the test, with its output so far. */
export type Running = {
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** Waits until it has written this. Its output may arrive later than its other effects: do not assert it at once. */
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

  /** Starts crank with this bench's directory as its prefix, and waits until it listens. */
  async crank(name: string, args: readonly string[] = [], options: StartOptions = {}): Promise<Running> {
    return this.listens(this.start([CRANK, "-prefix", this.directory, "-name", name, ...args], options));
  }

  /** Waits until a crank listens; its control socket is there by then. */
  async listens(crank: Running): Promise<Running> {
    await Promise.race([
      waitFor("crank", () => crank.stderr().includes("Listening on")),
      crank.ended.then((ended) => {
        throw new Error(`crank ended with ${ended.status}: ${ended.stderr}`);
      }),
    ]);
    return crank;
  }

  /** Runs crankctl for one of this bench's cranks. */
  ctl(name: string, ...args: readonly string[]): Promise<Ended> {
    return this.run([CRANKCTL, "-prefix", this.directory, "-name", name, ...args]);
  }

  /** Ends every process that was started here and what those left running, and removes the directory. */
  async clean(): Promise<void> {
    for (const child of this.#running) {
      if (isAlive(child.pid)) {
        // Stopped first, so that it starts nothing while its children are being ended.
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

const collect = (stream: ReadableStream<Uint8Array>): { text(): string; readonly done: Promise<void> } => {
  const decoder = new TextDecoder();
  let text = "";
  const done = (async () => {
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  })();
  return { text: () => text, done };
};
