// Shared by the tests of the output thread: a stage with a harness of each build and its sinks, and the tests' actions.
import { afterEach, beforeAll, beforeEach, describe, expect } from "bun:test";
import { spawnSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { type Build, bytesOf, compileHarness, type Harness, startHarness, temporaryDirectory } from "./driver.ts";

export const TEXT = 0;
const JSON_LINES = 1;
const STDOUT = 0;
export const DATAGRAMS = 1;
const KEEP = 1;
export const LOG_STDERR = 2;
export const LOG_DATAGRAMS = 3;
export const LIMIT_MS = 60_000;

/** Adds a worker; resolves to its pid. */
export const add = async (
  harness: Harness,
  worker: number,
  command: string,
  options: { readonly prefix?: string; readonly json?: string } = {},
): Promise<number> => {
  harness.send("add", worker, KEEP, options.prefix ?? "", options.json ?? "", command);
  return Number((await harness.reply("added"))[2]);
};

/** Waits for a worker's exit as the keeper does, and removes it. Resolves to its last lines. */
export const finish = async (harness: Harness, worker: number, pid: number): Promise<string> => {
  harness.send("wait", pid);
  await harness.reply("gone");
  harness.send("drain", worker);
  const tail = bytesOf(await harness.reply("drained")).toString("latin1");
  harness.send("remove", worker);
  return tail;
};

export const flush = async (harness: Harness): Promise<void> => {
  harness.send("flush", 20_000);
  expect((await harness.reply("flushed"))[1]).toBe("0");
};

/** Runs commands as workers, and waits until each has exited. */
export const runAll = async (harness: Harness, commands: readonly string[], prefix: (index: number) => string) => {
  const pids: number[] = [];
  for (const [index, command] of commands.entries()) {
    pids.push(await add(harness, index + 1, command, { prefix: prefix(index), json: `"id":${index}` }));
  }
  for (const [index, pid] of pids.entries()) await finish(harness, index + 1, pid);
  await flush(harness);
};

export type LogLine = {
  readonly time: string;
  readonly id?: number;
  readonly pid: number;
  readonly line: string;
  readonly partial?: true;
};
// The tests check these lines.
export const parseLines = (text: string): readonly LogLine[] =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LogLine);

export type Notification = {
  readonly method: string;
  readonly params: { readonly worker: number; readonly line: string };
};

/** Reads a follower's output until `enough` is true. */
export const takeUntil = async (
  harness: Harness,
  follower: number,
  enough: (notifications: readonly Notification[]) => boolean,
): Promise<{ readonly notifications: readonly Notification[]; readonly dropped: number }> => {
  const notifications: Notification[] = [];
  let dropped = 0;
  while (!enough(notifications)) {
    harness.send("ready");
    await harness.reply("ready");
    harness.send("take", follower, 100_000);
    const taken = await harness.reply("taken");
    dropped += Number(taken[2]);
    const text = bytesOf(taken).toString("utf8");
    expect(text === "" || text.endsWith("\n")).toBe(true);
    for (const line of text.split("\n").slice(0, -1)) notifications.push(JSON.parse(line) as Notification);
  }
  return { notifications, dropped };
};

export const linesIn = (notifications: readonly Notification[]): readonly string[] =>
  notifications.filter(({ method }) => method === "log").map(({ params }) => params.line);

/** Appends what a non-blocking pipe has now. */
export const readAvailable = (pipe: number, parts: Buffer[]): void => {
  const part = Buffer.alloc(65_536);
  try {
    parts.push(part.subarray(0, readSync(pipe, part)));
  } catch {
    // EAGAIN: no data now.
  }
};

export const numbered = (name: string, count: number): string =>
  `seq -f '${name} %.0f and some more of a line' 1 ${count}`;
export const numberedLines = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${name} ${index + 1} and some more of a line`);

/** One test's directory, in which standard output and standard error are files unless it says otherwise. */
class Stage {
  readonly #directory = temporaryDirectory();
  readonly #program: string;
  readonly #open: number[] = [];
  readonly stdoutFd: number;
  readonly stderrFd: number;

  constructor(program: string) {
    this.#program = program;
    this.stdoutFd = this.open(this.path("stdout"), "a");
    this.stderrFd = this.open(this.path("stderr"), "a");
  }

  path(name: string): string {
    return join(this.#directory.path, name);
  }
  stdout(): Buffer {
    return readFileSync(this.path("stdout"));
  }
  stderr(): string {
    return readFileSync(this.path("stderr"), "utf8");
  }

  /** A harness; `words` are its arguments, `through` is a program that executes it. */
  start(
    options: {
      readonly stdout?: number;
      readonly stderr?: number;
      readonly words?: readonly string[];
      readonly through?: readonly string[];
    } = {},
  ): Harness {
    const sinks = { stdout: options.stdout ?? this.stdoutFd, stderr: options.stderr ?? this.stderrFd };
    const command = [...(options.through ?? []), this.#program, ...(options.words ?? [])];
    return startHarness(command, sinks);
  }
  async startJson(): Promise<Harness> {
    const harness = this.start();
    harness.send("format", JSON_LINES, STDOUT, "", "");
    await harness.reply("formatted");
    return harness;
  }
  /** An error that a sanitizer finds changes the status. */
  async end(harness: Harness): Promise<void> {
    expect(await harness.end(), this.stderr()).toBe(0);
  }

  open(path: string, flags: number | string): number {
    const fd = openSync(path, flags);
    this.#open.push(fd);
    return fd;
  }
  close(fd: number): void {
    this.#open.splice(this.#open.indexOf(fd), 1);
    closeSync(fd);
  }
  /** A fifo named `pipe`, non-blocking, and open at both ends so that it never reports the end of file. */
  makePipe(): number {
    spawnSync("mkfifo", [this.path("pipe")]);
    return this.open(this.path("pipe"), constants.O_RDWR | constants.O_NONBLOCK);
  }
  clear(): void {
    for (const fd of this.#open.splice(0)) closeSync(fd);
    this.#directory.remove();
  }
}

const BUILDS: Readonly<Record<Build, string>> = {
  plain: "",
  address: ", under the address and undefined behaviour sanitizers",
  thread: ", under the thread sanitizer",
};

/** Runs the tests with each build. `stage()` is the running test's stage. */
export const withEachBuild = (name: string, tests: (stage: () => Stage) => void): void => {
  for (const build of ["plain", "address", "thread"] as const) {
    describe(`${name}${BUILDS[build]}`, () => {
      let program = "";
      let stage: Stage | null = null;
      beforeAll(() => {
        program = compileHarness(build);
      }, LIMIT_MS);
      beforeEach(() => {
        stage = new Stage(program);
      });
      afterEach(() => {
        stage?.clear();
      });
      tests(() => {
        if (!stage) throw new Error("there is a stage only while a test runs");
        return stage;
      });
    });
  }
};
