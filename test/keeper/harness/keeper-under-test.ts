// The interface of a keeper, real or simulated, for a conformance test, which acts as the supervisor, the clients and the workers.
import type { Command, CommandKind, EventKind, Greeting, KeeperEvent, Message } from "../../../src/keeper/protocol.ts";
import { INHERITED_OOM_SCORE, PROTOCOL_VERSION, SPAWN_FLAGS, UNCHANGED } from "../../../src/keeper/protocol.ts";

/** The test's end of one supervisor that the keeper started. */
export type SupervisorEnd = {
  /** Sends bytes unchanged. */
  sendBytes(bytes: Uint8Array): void;
  send(...commands: readonly Command[]): void;
  /** The next message. Rejects if the supervisor was ended first. */
  next(): Promise<Message>;
  /** SIGKILL, as from outside. */
  kill(): Promise<void>;
  /** It crashes. */
  crash(): Promise<void>;
  /** It exits with status 0. */
  leave(): Promise<void>;
  /** Resolves when it has exited for any reason. */
  readonly gone: Promise<void>;
};

/** A client of a control socket. */
export type Client = {
  send(text: string): void;
  hangUp(): void;
  /** Resolves when the received bytes end with `text`. */
  hears(text: string): Promise<void>;
  /** Resolves when the keeper has closed the connection. */
  readonly closed: Promise<void>;
};

export type KeeperUnderTest = {
  /** The next supervisor that the keeper starts. */
  supervisor(): Promise<SupervisorEnd>;
  /** The command that starts a candidate to replace the supervisor; `candidate` resolves to it when it has started. */
  replacement(): CommandOf<"replaceSupervisor">;
  candidate(): Promise<SupervisorEnd>;
  /** A keeper's program for a re-exec. */
  readonly program: string;
  /** Connects to the control socket that `controlSocket` opened. */
  connect(): Promise<Client>;
  /** The command that opens the control socket as `handle`. */
  controlSocket(handle: number): CommandOf<"openSocket">;
  /** The program of the tests' workers: test/keeper/harness/scripted-worker.c. */
  readonly workerFile: string;
  /** Sends a signal to the keeper. */
  signal(signal: number): void;
  /** The keeper's exit status. */
  readonly ended: Promise<number>;
  /** Ends everything. */
  stop(): Promise<void>;
};

export type CommandOf<K extends CommandKind> = Extract<Command, { kind: K }>;
export type EventOf<K extends EventKind> = Extract<KeeperEvent, { kind: K }>;

/** A hello, collected. */
export type Hello = {
  readonly facts: Extract<Greeting, { kind: "hello" }>;
  readonly entries: ReadonlyMap<string, string>;
  readonly workers: readonly Extract<Greeting, { kind: "helloWorker" }>[];
  readonly handles: readonly Extract<Greeting, { kind: "helloHandle" }>[];
  readonly connections: readonly Extract<Greeting, { kind: "helloConnection" }>[];
  readonly outstanding: number;
};

/** Reads a whole hello. */
export const readHello = async (end: SupervisorEnd): Promise<Hello> => {
  const greetings: Message[] = [];
  for (;;) {
    const message = await end.next();
    if (message.kind === "helloEnd") return collect(greetings, message.outstanding);
    greetings.push(message);
  }
};

const collect = (greetings: readonly Message[], outstanding: number): Hello => {
  const [facts] = greetings;
  if (facts?.kind !== "hello") throw new Error("the hello does not begin with hello");
  const entries = new Map<string, string>();
  for (const each of greetings)
    if (each.kind === "helloEntry") entries.set(each.key, new TextDecoder().decode(each.value));
  return {
    facts,
    entries,
    workers: greetings.filter((each) => each.kind === "helloWorker"),
    handles: greetings.filter((each) => each.kind === "helloHandle"),
    connections: greetings.filter((each) => each.kind === "helloConnection"),
    outstanding,
  };
};

export const ATTACH: Command = { kind: "attach", protocol: PROTOCOL_VERSION };

/** Waits for the next supervisor, reads its hello and attaches. */
export const attached = async (
  keeper: KeeperUnderTest,
): Promise<{ readonly end: SupervisorEnd; readonly hello: Hello }> => {
  const end = await keeper.supervisor();
  const hello = await readHello(end);
  end.send(ATTACH);
  return { end, hello };
};

/** The next message, which must be an event of this kind. */
export const expectEvent = async <K extends EventKind>(end: SupervisorEnd, kind: K): Promise<EventOf<K>> => {
  const message = await end.next();
  if (message.kind !== kind) throw new Error(`expected ${kind}, got ${JSON.stringify(message)}`);
  // The kind was checked.
  return message as EventOf<K>;
};

export const commit = (consumed: number, tickAt = 0): Command => ({ kind: "commit", consumed, tickAt });
export const put = (key: string, text: string): Command => ({
  kind: "put",
  key,
  value: new TextEncoder().encode(text),
});

/** A spawn with every default, except for `changes`. */
export const plainSpawn = (
  worker: number,
  args: readonly string[],
  changes: Partial<CommandOf<"spawn">> = {},
): CommandOf<"spawn"> => ({
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
  flags: SPAWN_FLAGS.group,
  prefix: "",
  json: "",
  connectFd: 0,
  connectPath: "",
  ...changes,
});

/** A scripted worker that takes these steps, with a notify pair. */
export const spawnOf = (
  keeper: KeeperUnderTest,
  worker: number,
  steps: readonly string[],
  changes: Partial<CommandOf<"spawn">> = {},
): Command =>
  plainSpawn(worker, ["worker", ...steps], {
    file: keeper.workerFile,
    env: [["NOTIFY_FD", "3"]],
    notifyFd: 3,
    ...changes,
  });
