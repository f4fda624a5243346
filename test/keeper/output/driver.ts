// Drives test/keeper/output/harness.c from a test: a program of the keeper's output files alone.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** `plain`: as users get it; the others: with gcc's sanitizers, which end the program at an error. */
export type Build = "plain" | "address" | "thread";

const root = resolve(import.meta.dirname, "../../..");

/** Builds it with make if it is not up to date. Returns the program's path. `make test` has built all of them. */
export const compileHarness = (build: Build): string => {
  const program = `build/harness/output-${build}`;
  const { MAKEFLAGS, MAKELEVEL, MFLAGS, ...env } = process.env;
  const { status, stderr } = spawnSync("make", ["-s", program], { cwd: root, env, encoding: "utf8" });
  if (status !== 0) throw new Error(`the output harness does not compile: ${stderr}`);
  return join(root, program);
};

/** A reply's words; the last of `drained`, `taken` and `datagram` are bytes in hexadecimal. */
export type Reply = readonly string[];

export type Harness = {
  readonly pid: number;
  /** Sends one command. */
  readonly send: (...fields: readonly (string | number)[]) => void;
  /** The next reply, which must be of this kind. */
  readonly reply: (kind: string) => Promise<Reply>;
  /** Closes its input and waits for it to exit. Resolves to its exit status. */
  readonly end: () => Promise<number | null>;
};

/** The test's descriptors that become its standard output and standard error. */
export type Sinks = { readonly stdout: number; readonly stderr: number };

const linesOf = (stream: NodeJS.ReadableStream, take: (line: string) => void, ended: () => void): void => {
  let held = "";
  stream.setEncoding("latin1");
  stream.on("data", (text: string) => {
    const lines = (held + text).split("\n");
    held = lines.pop() ?? "";
    lines.forEach(take);
  });
  stream.on("end", ended);
};

/** A queue of replies and of callers that wait for one. */
const replyQueue = (child: ChildProcess): Harness["reply"] => {
  const waiting: { readonly give: (line: string) => void; readonly fail: (error: Error) => void }[] = [];
  const lines: string[] = [];
  let isOver = false;
  // Descriptor 3 of the child is a pipe, so it is a readable stream here.
  const stream = child.stdio[3] as NodeJS.ReadableStream;
  linesOf(
    stream,
    (line) => {
      const first = waiting.shift();
      if (first) first.give(line);
      else lines.push(line);
    },
    () => {
      isOver = true;
      for (const { fail } of waiting) fail(new Error("the harness has ended"));
    },
  );
  const next = (): Promise<string> =>
    new Promise((give, fail) => {
      const line = lines.shift();
      if (line !== undefined) give(line);
      else if (isOver) fail(new Error("the harness has ended"));
      else waiting.push({ give, fail });
    });
  return async (kind) => {
    const words = (await next()).split("\t");
    if (words[0] !== kind) throw new Error(`expected ${kind}, got ${words.join(" ").slice(0, 200)}`);
    return words;
  };
};

/** Starts it without address space randomization, with which gcc 12's thread sanitizer fails on new kernels. */
export const startHarness = (command: readonly string[], sinks: Sinks): Harness => {
  const child = spawn("setarch", ["-R", ...command], {
    stdio: ["pipe", sinks.stdout, sinks.stderr, "pipe"],
    // The thread sanitizer delays the exit by a second otherwise.
    env: { ...process.env, TSAN_OPTIONS: "atexit_sleep_ms=0" },
  });
  const ended = new Promise<number | null>((give) => child.on("exit", (status) => give(status)));
  const reply = replyQueue(child);
  return {
    pid: child.pid ?? 0,
    send: (...fields) => void child.stdin?.write(`${fields.join("\t")}\n`),
    reply,
    end: () => {
      child.stdin?.end();
      return ended;
    },
  };
};

/** A temporary directory; `remove` deletes it. */
export const temporaryDirectory = (): { readonly path: string; readonly remove: () => void } => {
  const path = mkdtempSync(join(tmpdir(), "crank-output-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
};

/** The bytes of a reply's last word. */
export const bytesOf = (reply: Reply): Buffer => Buffer.from(reply.at(-1) ?? "", "hex");

/** Waits until `look` returns a value. */
export const eventually = async <T>(look: () => T | null | undefined | false): Promise<T> => {
  for (;;) {
    const found = look();
    if (found !== null && found !== undefined && found !== false) return found;
    await new Promise((resume) => setTimeout(resume, 5));
  }
};
