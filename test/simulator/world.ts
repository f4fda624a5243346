// The world around a simulated keeper: virtual time, processes, sockets and clients, provided by the test.
import type { Command } from "../../src/keeper/protocol.ts";
import type { Ending } from "./workers.ts";

export type CommandOf<K extends Command["kind"]> = Extract<Command, { kind: K }>;

/** A supervisor as its keeper sees it. Its commands come in through `SimulatedKeeper.hear`. */
export type SimulatedSupervisor = {
  /** Bytes from the keeper, whole frames. */
  receive(bytes: Uint8Array): void;
  /** Kills it at once. Do not call `SimulatedKeeper.supervisorEnded` for it. */
  kill(): void;
};

/** A failed step, with its error number. */
export type Failing = { readonly step: string; readonly errno: number };
/** A socket that could be opened. */
export type Opened = { readonly address: Uint8Array; readonly listening: boolean };

/** A listening socket that was taken from another process. */
export type Taken = { readonly domain: number; readonly type: number; readonly address: Uint8Array };

export type SimulatedWorld = {
  /** CLOCK_MONOTONIC, ms. */
  now(): number;
  /** Calls `happen` after `ms`, but not before the caller has returned. */
  after(ms: number, happen: () => void): void;
  startSupervisor(): SimulatedSupervisor;
  /** Starts a replacement: returns when it is present, or how it ends instead. */
  startCandidate(): { readonly afterMs: number; readonly ending: Ending | null };
  /** Another keeper's program tests a takeover: when it ends, and with which status. */
  rehearse(): { readonly afterMs: number; readonly status: number };
  openSocket(command: CommandOf<"openSocket">): Opened | Failing;
  /** Starts a process. Answered by `SimulatedKeeper.processStarted` or `processNotStarted`, now or later. */
  startProcess(command: CommandOf<"spawn">): void;
  signalProcess(worker: number, signal: number): void;
  /** A client receives bytes, or its connection is closed. */
  answer(connection: number, bytes: Uint8Array): void;
  hangUp(connection: number): void;
  /** A line of crank's own log. */
  log(sink: number, bytes: Uint8Array): void;
  /** A command was carried out; for tests that keep a trace. */
  carriedOut(command: Command): void;
  /**
   * A process that is not the keeper's child is adopted: its main process lives, or only `rest` others of it, or
   * nothing.
   */
  adoptProcess(command: CommandOf<"adopt">): "main" | { readonly rest: number } | "gone";
  /**
   * Takes a descriptor of another process. Returns its listening socket; null: it is none, or is gone with its process.
   */
  takeDescriptor(command: CommandOf<"takeDescriptor">): Taken | null;
  /** Whether the keeper is killed now, between two commands of a batch. */
  isKilledHere(): boolean;
  /** The keeper was killed; `journal` is its journal file, null if it has not opened one. */
  keeperKilled(journal: Uint8Array | null): void;
  /** The keeper has exited. */
  keeperEnded(status: number): void;
};
