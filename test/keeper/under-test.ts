// A keeper as its conformance tests see it, whichever it is: the real one, or the simulated one.
import type { Command, CommandKind, Message } from "../../src/keeper/protocol.ts";

export type CommandOf<K extends CommandKind> = Extract<Command, { kind: K }>;

/** The test in a supervisor's place. */
export type SupervisorEnd = {
  send(...commands: readonly Command[]): void;
  sendBytes(bytes: Uint8Array): void;
  /** The next message; rejects when the supervisor is gone. */
  next(): Promise<Message>;
  /** Ends it by SIGKILL, as from outside. */
  kill(): Promise<void>;
  /** Ends it as a fault of its own does. */
  crash(): Promise<void>;
  /** Ends it with status 0. */
  leave(): Promise<void>;
  readonly gone: Promise<void>;
};

/** A control client. */
export type Client = {
  send(text: string): void;
  hangUp(): void;
  /** Resolves when what was heard ends with `text`. */
  hears(text: string): Promise<void>;
  readonly closed: Promise<void>;
};

export type KeeperUnderTest = {
  /** The program that `spawn` is to name; its arguments say what it does. */
  readonly workerFile: string;
  /** The keeper's exit status, when it ends. */
  readonly ended: Promise<number>;
  /** The next supervisor that is started. */
  supervisor(): Promise<SupervisorEnd>;
  /** The command that opens the socket that `connect` connects to. */
  controlSocket(handle: number): CommandOf<"openSocket">;
  connect(): Promise<Client>;
  /** Sends a signal to the keeper. */
  signal(signal: number): void;
  stop(): Promise<void>;
};
