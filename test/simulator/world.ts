// What a simulated keeper stands in: virtual time, processes, sockets and clients that somebody else makes up.
import type { Command } from "../../src/keeper/protocol.ts";
import type { Ending } from "./workers.ts";

export type CommandOf<K extends Command["kind"]> = Extract<Command, { kind: K }>;

/** A supervisor as its keeper sees it. What it says comes in through `SimulatedKeeper.hear`. */
export type SimulatedSupervisor = {
  /** Bytes from the keeper, whole frames. */
  receive(bytes: Uint8Array): void;
  /** It is killed, now; `SimulatedKeeper.supervisorEnded` is not to be called for it. */
  kill(): void;
};

/** A step that failed, and why. */
export type Failing = { readonly step: string; readonly errno: number };
/** A socket that could be opened. */
export type Opened = { readonly address: Uint8Array; readonly listening: boolean };

/** A listening socket that was taken from somebody. */
export type Taken = { readonly domain: number; readonly type: number; readonly address: Uint8Array };

export type SimulatedWorld = {
  /** CLOCK_MONOTONIC, ms. */
  now(): number;
  /** Lets something happen after `ms`, at the earliest once the caller has returned. */
  after(ms: number, happen: () => void): void;
  startSupervisor(): SimulatedSupervisor;
  /** One that is to take the place of the other is started: when it is there, or how it ends instead. */
  startCandidate(): { readonly afterMs: number; readonly ending: Ending | null };
  /** Another keeper's program tries to take over: when, and with which status, it ends. */
  rehearse(): { readonly afterMs: number; readonly status: number };
  openSocket(command: CommandOf<"openSocket">): Opened | Failing;
  /** A process is wanted. Answered by `SimulatedKeeper.processStarted` or `processNotStarted`, now or later. */
  startProcess(command: CommandOf<"spawn">): void;
  signalProcess(worker: number, signal: number): void;
  /** A client gets bytes, or sees its connection closed. */
  answer(connection: number, bytes: Uint8Array): void;
  hangUp(connection: number): void;
  /** A line of crank's own log. */
  log(sink: number, bytes: Uint8Array): void;
  /** A command was carried out, whatever it was; for whoever keeps a record of them. */
  carriedOut(command: Command): void;
  /** A process that is not the keeper's child becomes its worker: its main process is there, or only \`rest\` others of it, or nothing. */
  adoptProcess(command: CommandOf<"adopt">): "main" | { readonly rest: number } | "gone";
  /** A descriptor of another process: the listening socket that it is; null: it is none, or gone with its process. */
  takeDescriptor(command: CommandOf<"takeDescriptor">): Taken | null;
  /** Whether the keeper is killed here and now, between two commands of a batch. */
  isKilledHere(): boolean;
  /** It was killed; `journal` is its journal's file, null if it has not opened one. */
  keeperKilled(journal: Uint8Array | null): void;
  /** The keeper is gone. */
  keeperEnded(status: number): void;
};
