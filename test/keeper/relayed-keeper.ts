// A real keeper with the test in the supervisor's place: what it says comes out as messages, what the test sends goes in
// as frames. The program is bin/crank, or what CRANK_KEEPER names (a build with sanitizers).
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { encodeCommands, MessageDecoder } from "../../src/keeper/frames.ts";
import {
  type Command,
  type EventKind,
  INHERITED_OOM_SCORE,
  type KeeperEvent,
  type Message,
  PROTOCOL_VERSION,
  SPAWN_FLAGS,
  UNCHANGED,
} from "../../src/keeper/protocol.ts";

const ROOT = resolve(import.meta.dir, "../..");
const KEEPER = process.env.CRANK_KEEPER ?? join(ROOT, "bin/crank");
const PATIENCE_MS = 30_000;

type EventOf<K extends EventKind> = Extract<KeeperEvent, { kind: K }>;
type SpawnCommand = Extract<Command, { kind: "spawn" }>;

/** A spawn with every default; `change` says what the test is about. */
export const spawn = (worker: number, args: readonly string[], change: Partial<SpawnCommand> = {}): SpawnCommand => ({
  kind: "spawn",
  worker,
  file: args[0] ?? "",
  args,
  cwd: "/",
  env: [],
  unset: [],
  ownPid: [],
  descriptors: [],
  stdin: 0,
  output: 0,
  notifyFd: 0,
  notifyPath: "",
  identity: [],
  umask: UNCHANGED,
  limits: [],
  nice: 0,
  oomScore: INHERITED_OOM_SCORE,
  deathSignal: 0,
  flags: SPAWN_FLAGS.group | SPAWN_FLAGS.endGroup,
  prefix: "",
  json: "",
  ...change,
});

/** One life of the test as a supervisor. */
class Life {
  readonly messages: Message[] = [];
  readonly #decoder = new MessageDecoder();
  readonly socket: Socket;
  isOver = false;

  constructor(socket: Socket) {
    this.socket = socket;
    let isNamed = false;
    socket.on("data", (bytes: Buffer) => {
      // The relay's first line is its pid.
      const start = isNamed ? 0 : bytes.indexOf(10) + 1;
      isNamed = true;
      this.messages.push(...this.#decoder.push(bytes.subarray(start)));
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.isOver = true;
    });
  }
}

export class KeeperUnderTest {
  readonly directory = mkdtempSync(join(tmpdir(), "crank-keeper-"));
  readonly #server: Server;
  readonly #lives: Life[] = [];
  #taken = 0;
  #process: Bun.Subprocess<"ignore", "pipe", "pipe"> | undefined;
  #said = { stdout: "", stderr: "" };
  #consumed = 0;

  constructor() {
    this.#server = createServer((socket) => this.#lives.push(new Life(socket))).listen(
      join(this.directory, "relay.sock"),
    );
  }

  /** Starts the keeper; its first supervisor is connected and has said hello and attach when this resolves. */
  async start(
    options: {
      readonly args?: readonly string[];
      readonly env?: Readonly<Record<string, string>>;
      readonly attach?: "yes" | "no";
    } = {},
  ): Promise<void> {
    const relay = join(this.directory, "relay");
    const compiled = Bun.spawnSync([
      process.env.CC ?? "cc",
      "-O1",
      "-D_GNU_SOURCE",
      "-o",
      relay,
      join(import.meta.dir, "relay.c"),
    ]);
    if (compiled.exitCode !== 0) throw new Error(compiled.stderr.toString());
    const child = Bun.spawn([KEEPER, ...(options.args ?? [])], {
      argv0: "crank",
      cwd: this.directory,
      env: {
        ...process.env,
        CRANK_RUNTIME: relay,
        CRANK_TEST_SOCKET: join(this.directory, "relay.sock"),
        ...options.env,
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#process = child;
    this.#collect("stdout", child.stdout);
    this.#collect("stderr", child.stderr);
    await this.hello();
    if (options.attach !== "no") this.send({ kind: "attach", protocol: PROTOCOL_VERSION });
  }

  async #collect(what: "stdout" | "stderr", stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#said[what] += decoder.decode(chunk, { stream: true });
  }

  get pid(): number {
    if (!this.#process) throw new Error("the keeper was not started");
    return this.#process.pid;
  }

  get stdout(): string {
    return this.#said.stdout;
  }

  get stderr(): string {
    return this.#said.stderr;
  }

  get ended(): Promise<number> {
    if (!this.#process) throw new Error("the keeper was not started");
    return this.#process.exited;
  }

  get #life(): Life {
    const life = this.#lives.at(-1);
    if (!life) throw new Error("no supervisor has been started");
    return life;
  }

  /** How many supervisors there have been. */
  get lives(): number {
    return this.#lives.length;
  }

  get isOver(): boolean {
    return this.#life.isOver;
  }

  /** Sends frames as they are. */
  send(...commands: Command[]): void {
    this.#life.socket.write(encodeCommands(commands));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#life.socket.write(bytes);
  }

  /** Sends one batch that consumes all that has been taken so far. */
  commit(commands: readonly Command[], tickAt = 0): void {
    this.send(...commands, { kind: "commit", consumed: this.#consumed, tickAt });
  }

  /** The whole of the present supervisor's hello. */
  async hello(): Promise<readonly Message[]> {
    await until(
      "a hello",
      () => this.#lives.length > 0 && this.#life.messages.some((message) => message.kind === "helloEnd"),
    );
    const end = this.#life.messages.findIndex((message) => message.kind === "helloEnd");
    this.#taken = end + 1;
    return this.#life.messages.slice(0, end + 1);
  }

  /** The next message of the present supervisor that has not been taken. */
  async next(): Promise<Message> {
    const message = await until("a message", () => this.#life.messages[this.#taken]);
    this.#taken += 1;
    if ("seq" in message) this.#consumed = message.seq;
    return message;
  }

  /** The next event, which has to be of this kind. */
  async event<K extends EventKind>(kind: K): Promise<EventOf<K>> {
    const message = await this.next();
    if (message.kind !== kind) throw new Error(`waited for ${kind}, got ${JSON.stringify(message)}`);
    // Narrowed by the line above; TypeScript does not follow a generic kind.
    return message as EventOf<K>;
  }

  /** Takes events until one of this kind, and gives that one. */
  async eventually<K extends EventKind>(kind: K): Promise<EventOf<K>> {
    for (;;) {
      const message = await this.next();
      // Narrowed by the comparison; TypeScript does not follow a generic kind.
      if (message.kind === kind) return message as EventOf<K>;
    }
  }

  /** Ends the present supervisor unasked, and waits for the hello of the next. */
  async killSupervisor(): Promise<readonly Message[]> {
    const before = this.#lives.length;
    this.#life.socket.destroy();
    await until("the next supervisor", () => this.#lives.length > before);
    return this.hello();
  }

  /** Ends the present supervisor, which was let go. */
  async killSupervisorQuietly(): Promise<void> {
    const life = this.#life;
    life.socket.destroy();
    await until("its end", () => life.isOver);
  }

  /** Ends the present supervisor as a fault of its own would. */
  crashSupervisor(): void {
    this.#life.socket.destroy();
  }

  attach(): void {
    this.send({ kind: "attach", protocol: PROTOCOL_VERSION });
  }

  /** Waits for the hello of one more supervisor than `before`. */
  async nextLife(before: number): Promise<readonly Message[]> {
    await until("the next supervisor", () => this.#lives.length > before);
    return this.hello();
  }

  async clean(): Promise<void> {
    if (this.#process) {
      const { pid } = this.#process;
      kill(pid, "SIGSTOP");
      for (const child of descendants(pid)) kill(child, "SIGKILL");
      kill(pid, "SIGKILL");
      await this.#process.exited;
    }
    for (const life of this.#lives) life.socket.destroy();
    await new Promise((done) => this.#server.close(done));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Waits until `look` gives something. */
export const until = async <T>(what: string, look: () => T | undefined | false): Promise<T> => {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await Bun.sleep(2);
  }
};

const kill = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
};

const descendants = (pid: number): number[] => {
  const listed = Bun.spawnSync(["cat", `/proc/${pid}/task/${pid}/children`])
    .stdout.toString()
    .trim();
  return listed === "" ? [] : listed.split(" ").flatMap((child) => [Number(child), ...descendants(Number(child))]);
};
