// All that the supervisor knows, and which journal key holds which part of it. Written whenever it changes, read at
// every hello (restore.ts): a supervisor that starts is in no other position than one that went on.

import type { ServiceEvent } from "../../core/model/effects.ts";
import type { CoreEvent, WorkerReady } from "../../core/model/events.ts";
import type { State } from "../../core/model/state.ts";
import type { GenerationNumber, Worker, WorkerId } from "../../core/model/worker.ts";
import type { Platform } from "../os/platform.ts";
import type { Batch } from "./batch.ts";
import type { KeeperFacts } from "./facts.ts";
import type { ForeignLine, Invocation, LogEntry, ReceivedSignal, UpgradeOutcome, Wrapper } from "./front-end.ts";
import type { Adoption } from "./parts/adoption.ts";
import type { Counters } from "./parts/counters.ts";
import type { EventLog } from "./parts/event-log.ts";
import type { Measurements } from "./parts/measurements.ts";
import type { Finished, Pending } from "./parts/pending.ts";
import type { RateLimit } from "./parts/rate-limit.ts";
import type { ServiceManager } from "./parts/service-manager.ts";
import type { DescriptorStore, StoredDescriptor } from "./parts/stored-descriptors.ts";
import type { Upgrade } from "./parts/upgrade.ts";
import type { Settings } from "./settings.ts";

/**
 * How far crank's own start has come. `barrier` is the token that ends the stage. `failure` is why crank cannot start, and
 * `isUnwanted` that it was told to end meanwhile: both count when the stage ends, so that all that was opened is known
 * and can be removed.
 */
export type Boot = {
  readonly stage: "fresh" | "locking" | "opening" | "serving";
  readonly barrier: number;
  readonly failure: string | null;
  readonly isUnwanted: boolean;
  /** What this crank comes after: one that was `killed` has left its lock, and perhaps its `journal`. Missing: one that ended, or none. */
  readonly follows?: "killed" | "journal";
  /** The socket that `failure` is about, where another process has its address. */
  readonly inUse?: number;
  /** The journal had to leave the disk; missing: it is where it belongs. */
  readonly journal?: "memory";
};

/** A listening socket as the keeper opened it. `bind` is the index in `settings.binds`, null for the control socket. */
export type OpenSocket = {
  readonly handle: number;
  readonly bind: number | null;
  readonly domain: number;
  readonly type: number;
  /** With the port filled in. */
  readonly address: string;
  /** How many connections could wait when it was opened; missing: that is not known. */
  readonly limit?: number;
};

/**
 * What became of the name of a unix socket's file, once something did; `bound`: a new socket has it. `oldWorkers`: up to this
 * number they have the socket from before; null: none has. `isTried`: they were to be replaced for it. `told`, `failed`: how
 * often that was said.
 */
export type SocketName = {
  readonly state: "restored" | "taken" | "blocked" | "lost" | "bound";
  /** Who listens there, 0: unknown. */
  readonly pid: number;
  readonly reason: string | null;
  readonly oldWorkers: number | null;
  /** How often a rollout for it was begun, and when the next may begin, CLOCK_MONOTONIC ms. Missing: none was. */
  readonly tries?: number;
  readonly tryAt?: number;
  /** A new socket is being bound. */
  readonly isBinding?: true;
  readonly told?: RateLimit;
  readonly failed?: RateLimit;
};

/**
 * What a worker has said of itself on its notify socket, escaped and bounded. `notedAt`, `notedIn`: when its status was last
 * told, and in which state it was. `failures`, `mains`: how often its ERRNO= and its wrong MAINPID= were told. `watchdogMs`: the period that it has chosen itself. `refused`: what others said for it,
 * that it is ready and whatever else. `keeper`: the pid of the killed crank that started it; missing: this one.
 */
export type WorkerReport = {
  readonly status?: string;
  readonly notedAt?: number;
  readonly notedIn?: Worker["kind"];
  readonly errno?: number;
  readonly reloading?: true;
  readonly watchdogMs?: number;
  readonly failures?: RateLimit;
  readonly mains?: RateLimit;
  readonly keeper?: number;
  readonly refused?: { readonly ready?: RateLimit; readonly others?: RateLimit };
};

/**
 * A generation is in place, and its worker may serve elsewhere than at the service's sockets (accepting.ts). `at`, `until`: when
 * it is looked at next, and last, CLOCK_MONOTONIC ms. `waited`: so many looks in a row found connections that nothing accepted.
 */
export type Look = {
  readonly generation: GenerationNumber;
  readonly at: number;
  readonly until: number;
  readonly waited: number;
};

/** That a worker is ready, when the signals that this leads to were sent with the commit of the keeper's event `seq` (loop/decision.ts). */
export type Decision = Pick<WorkerReady, "worker" | "now" | "at"> & { readonly seq: number };

/** The supervisor's whole memory. `core` and the maps are replaced or changed only through the functions below. */
export type Memory = {
  readonly platform: Platform;
  /** The program that crank was called as. */
  readonly frontEnd: FrontEnd;
  readonly facts: KeeperFacts;
  /** Lets the core take one event, at once and to its end (loop/apply-effects.ts). `signals`: whether they were sent already. */
  readonly advance: (event: CoreEvent, signals?: "unsent" | "sent") => void;
  readonly batch: Batch;
  readonly events: EventLog;
  readonly measurements: Measurements;
  settings: Settings | null;
  boot: Boot;
  core: State;
  /** What the core is told when all else of the keeper's event is done; null: nothing. */
  last: WorkerReady | null;
  /** What an earlier supervisor had decided and not written out. */
  decision: Decision | null;
  counters: Counters;
  serviceManager: ServiceManager;
  /** While it is under way. */
  adoption: Adoption | null;
  readonly sockets: Map<number, OpenSocket>;
  /** What became of the names of sockets, by handle. */
  readonly names: Map<number, SocketName>;
  /** What workers left for later ones, by handle. */
  readonly stored: Map<number, StoredDescriptor>;
  store: DescriptorStore;
  /** The service's sockets that crank has closed for its end, while their connections are still being served. */
  closed: readonly OpenSocket[];
  readonly pending: Map<number, Pending>;
  readonly finished: Finished[];
  /** Workers and probes of the core, by the keeper's numbers, whose starts it has not been told of yet, in their order. */
  unstarted: readonly number[];
  /** By their numbers, whose probes this supervisor has begun: who is not in it is looked for. */
  readonly probed: Map<number, WorkerId>;
  /** By worker. */
  readonly reports: Map<number, WorkerReport>;
  /** Of what is said once for a generation: for which one it was said last (once.ts). */
  once: Readonly<Record<string, GenerationNumber>>;
  /** By handle, as the keeper says in its hello and when it opens one. */
  readonly inodes: Map<number, number>;
  /** Connections that follow `events`. */
  readonly followers: Set<number>;
  /** Connections over tcp that have shown the secret. */
  readonly authenticated: Set<number>;
  /** How often wrong tokens were told, by this supervisor: the next one begins to count again. */
  penalties: RateLimit | undefined;
  /** While there is something to be found out. */
  look: Look | null;
  /** While it is under way. */
  upgrade: Upgrade | null;
  /** What the last upgrade by `-exec` was to; null: crank is found where it was started. */
  program: string | null;
  /** Of the journal's values. */
  format: number;
  /** The front end's own (own.ts); null: nothing yet. */
  own: unknown;
};

/** Another protocol on the control socket. */
export type Dialect = {
  /** Takes the line and answers it. False: it means nothing to this dialect, and is answered as no JSON-RPC. */
  readonly take: (memory: Memory, line: ForeignLine) => boolean | Promise<boolean>;
};

export type FrontEnd = {
  /** Reads the arguments (without the program's name). Called once in a crank's life. */
  readonly parse: (
    args: readonly string[],
    environment: Readonly<Record<string, string | undefined>>,
    cwd: string,
    platform: Platform,
  ) => Invocation | Promise<Invocation>;
  /** What each signal leads to; one that is not here is ignored. Until the sockets are open, SIGTERM, SIGINT and SIGQUIT end it instead. */
  readonly signals: Readonly<Record<string, (memory: Memory, signal: ReceivedSignal) => Promise<void> | void>>;
  readonly dialect: Dialect;
  /** What the log says of an event; null: nothing. */
  readonly describe: (memory: Memory, event: ServiceEvent) => Pick<LogEntry, "level" | "message"> | null;
  /** Hears of every event when it is published, after the log. */
  readonly published?: (memory: Memory, event: ServiceEvent) => void;
  /** Says what there is to say when the sockets are open. */
  readonly begun?: (memory: Memory) => Promise<void> | void;
  /** The wrapper of its upgrades, if it has one. */
  readonly wrapper?: (memory: Memory) => Wrapper | null;
  /** Hears how an upgrade went, in the batch in which that is known: from the new supervisor, or from the one that stays. */
  readonly upgraded?: (memory: Memory, outcome: UpgradeOutcome, now: number) => void;
  /** Hears that a helper command (helper-commands.ts) failed; `how` completes "the command …". */
  readonly helperCommandFailed?: (memory: Memory, how: string) => void;
  /** A worker that is ready and does not hold the sockets has failed; `warn`: its protocol takes it for ready all the same. */
  readonly unheldSockets?: "warn";
  /** How a line of the log looks in the text format. */
  readonly logLine: (memory: Memory, entry: LogEntry) => string;
  /** Where it is said why it cannot start, and what it ends with then; by default standard error, and 1. */
  readonly setUpFailure?: { readonly sink: "stdout" | "stderr"; readonly status: number };
};
