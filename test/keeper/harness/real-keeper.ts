// The real keeper under test: build/crank-stand-in (or CRANK_KEEPER) in a home of its own. It is bin/crank with
// test/keeper/harness/stand-in.c in place of the engine.
import { afterAll } from "bun:test";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeCommands, MessageDecoder } from "../../../src/keeper/frames.ts";
import { UNCHANGED } from "../../../src/keeper/protocol.ts";
import { unixAddress } from "../../../src/supervisor/os/sockaddr.ts";
import type { Client, KeeperUnderTest, SupervisorEnd } from "./keeper-under-test.ts";
import { MessageQueue } from "./message-queue.ts";

const SOURCES = import.meta.dirname;
const KEEPER = process.env.CRANK_KEEPER ?? join(SOURCES, "../../../build/crank-stand-in");
const AF_UNIX = 1;
const SOCK_STREAM = 1;

let programs: string | null = null;

/** The path of the worker, compiled once for each test file and removed after it. */
export const testPrograms = (): string => {
  if (programs !== null) return programs;
  const directory = mkdtempSync(join(tmpdir(), "crank-programs-"));
  const [program, source] = [join(directory, "scripted-worker"), join(SOURCES, "scripted-worker.c")];
  execFileSync(process.env.CC ?? "cc", ["-O1", "-D_GNU_SOURCE", "-o", program, source]);
  chmodSync(directory, 0o755);
  programs = directory;
  return directory;
};

afterAll(() => {
  if (programs !== null) rmSync(programs, { recursive: true, force: true });
  // Other test files of the same run compile their own.
  programs = null;
});

export type RealKeeper = KeeperUnderTest & {
  readonly pid: number;
  /** A directory of this keeper's own. */
  readonly home: string;
  /** Its standard output and error so far. */
  output(): string;
  /** Sends SIGKILL to the keeper and waits for its end; workers continue. */
  kill(): Promise<void>;
};

export type RealOptions = {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** A program before the keeper's: `["nice", "-n", "3"]`. */
  readonly wrapper?: readonly string[];
};

export const startReal = async (options: RealOptions = {}): Promise<RealKeeper> => {
  const home = mkdtempSync(join(tmpdir(), "crank-keeper-"));
  // For keepers of other users.
  chmodSync(home, 0o755);
  mkdirSync(join(home, "bin"));
  copyFileSync(KEEPER, join(home, "bin/crank"));
  const meeting = join(home, "meeting");
  const supervisors = new Arrivals();
  const server = createServer((socket) => takeSupervisor(socket, supervisors, pids));
  const pids = new Set<number>();
  await new Promise<void>((resolve) => server.listen(meeting, () => resolve()));
  chmodSync(meeting, 0o777);
  const command = [...(options.wrapper ?? []), join(home, "bin/crank"), ...(options.args ?? [])];
  const child = spawn(command[0] ?? "", command.slice(1), {
    cwd: options.cwd ?? "/",
    env: {
      ...process.env,
      ...options.env,
      CRANK_TEST_SOCKET: meeting,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return new Real({ home, server, child, supervisors, pids });
};

/** Supervisors that have connected, and callers that wait for one. */
class Arrivals {
  readonly #come: SupervisorEnd[] = [];
  readonly #waiting: ((end: SupervisorEnd) => void)[] = [];
  push(end: SupervisorEnd): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(end);
    else this.#come.push(end);
  }
  next(): Promise<SupervisorEnd> {
    const end = this.#come.shift();
    return end ? Promise.resolve(end) : new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** The first line is its pid, followed by frames. */
const takeSupervisor = (socket: Socket, supervisors: Arrivals, workers: Set<number>): void => {
  const decoder = new MessageDecoder();
  const messages = new MessageQueue();
  const gone = Promise.withResolvers<void>();
  let pid = 0;
  let line = "";
  const take = (bytes: Uint8Array): void => {
    for (const message of decoder.push(bytes)) {
      if (message.kind === "spawned") workers.add(message.pid);
      if (message.kind === "exited") workers.delete(message.pid);
      messages.push(message);
    }
  };
  socket.on("error", () => {});
  socket.on("close", () => {
    messages.end("the supervisor is gone");
    gone.resolve();
  });
  socket.on("data", (bytes: Buffer) => {
    if (pid > 0) return take(bytes);
    const end = bytes.indexOf(10);
    line += bytes.toString("latin1", 0, end < 0 ? bytes.length : end);
    if (end < 0) return;
    pid = Number(line);
    supervisors.push(endOf());
    take(bytes.subarray(end + 1));
  });
  // It ends like that when all earlier bytes have been passed on.
  const endWith = (signal: NodeJS.Signals | null): Promise<void> => {
    if (signal !== null) process.kill(pid, signal);
    socket.end();
    return gone.promise;
  };
  const endOf = (): SupervisorEnd => ({
    sendBytes: (bytes) => {
      socket.write(bytes);
    },
    send: (...commands) => {
      socket.write(encodeCommands(commands));
    },
    next: () => messages.next(),
    kill: () => endWith("SIGUSR2"),
    crash: () => endWith("SIGUSR1"),
    leave: () => endWith(null),
    gone: gone.promise,
  });
};

type Parts = {
  readonly home: string;
  readonly server: Server;
  readonly child: ChildProcess;
  readonly supervisors: Arrivals;
  readonly pids: Set<number>;
};

class Real implements RealKeeper {
  readonly #parts: Parts;
  readonly ended: Promise<number>;
  readonly workerFile = join(testPrograms(), "scripted-worker");
  #output = "";

  constructor(parts: Parts) {
    this.#parts = parts;
    const { child } = parts;
    child.stdout?.on("data", (bytes) => {
      this.#output += bytes;
    });
    child.stderr?.on("data", (bytes) => {
      this.#output += bytes;
    });
    this.ended = new Promise((resolve) =>
      child.on("exit", (status, signal) => resolve(status ?? (signal === null ? -1 : -2))),
    );
  }

  get pid(): number {
    return this.#parts.child.pid ?? 0;
  }
  get home(): string {
    return this.#parts.home;
  }
  output(): string {
    return this.#output;
  }
  supervisor(): Promise<SupervisorEnd> {
    return this.#parts.supervisors.next();
  }
  signal(signal: number): void {
    process.kill(this.pid, signal);
  }

  get program(): string {
    return join(this.home, "bin/crank");
  }
  replacement(): ReturnType<KeeperUnderTest["replacement"]> {
    return {
      kind: "replaceSupervisor",
      runtime: this.program,
      bundle: "",
      file: "",
      args: [],
      unset: [],
      fd: 3,
      patienceMs: 30_000,
    };
  }
  async candidate(): Promise<SupervisorEnd> {
    const end = await this.supervisor();
    end.send({ kind: "present" });
    return end;
  }

  controlSocket(handle: number): ReturnType<KeeperUnderTest["controlSocket"]> {
    const address = unixAddress(join(this.home, "control"));
    return {
      kind: "openSocket",
      handle,
      domain: AF_UNIX,
      type: SOCK_STREAM,
      protocol: 0,
      address,
      options: [],
      backlog: 64,
      mode: 0o600,
      uid: UNCHANGED,
      gid: UNCHANGED,
    };
  }

  async connect(): Promise<Client> {
    const socket = createConnection(join(this.home, "control"));
    await new Promise<void>((resolve, reject) => {
      socket.on("connect", resolve);
      socket.on("error", reject);
    });
    socket.on("error", () => {});
    return clientOn(socket);
  }

  async kill(): Promise<void> {
    if (this.#parts.child.exitCode === null && this.#parts.child.signalCode === null) this.#parts.child.kill("SIGKILL");
    await this.ended;
  }

  async stop(): Promise<void> {
    const { child, pids } = this.#parts;
    if (child.exitCode === null && child.signalCode === null) {
      // Stopped first, so that it starts nothing while its children are being killed.
      child.kill("SIGSTOP");
      for (const pid of descendants(this.pid)) endProcess(pid);
    }
    await this.kill();
    for (const pid of pids) endProcess(pid);
    this.#parts.server.close();
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Kills a process that may be gone. */
export const endProcess = (pid: number): void => {
  if (!(pid > 1)) throw new Error(`${pid} is the pid of none of the test's processes`);
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended with its keeper, or before.
  }
};

/** Every living descendant of `pid`. */
const descendants = (pid: number): number[] => {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    return children.filter((child) => child !== "").flatMap((child) => [Number(child), ...descendants(Number(child))]);
  } catch {
    return [];
  }
};

const clientOn = (socket: Socket): Client => {
  let heard = "";
  let changed = Promise.withResolvers<void>();
  socket.on("data", (bytes) => {
    heard += bytes;
    changed.resolve();
    changed = Promise.withResolvers();
  });
  return {
    send: (text) => {
      socket.write(text);
    },
    hangUp: () => {
      socket.destroy();
    },
    hears: async (text) => {
      while (!heard.endsWith(text)) await changed.promise;
    },
    closed: new Promise((resolve) => socket.on("close", () => resolve())),
  };
};
