// The supervisor's store, and which journal key holds which part of it. It is written whenever it changes and read at
// every hello (restore.ts), so a new supervisor is in the same state as the last one.

import type { ServiceEvent } from "../../core/model/effects.ts";
import type { CoreEvent, WorkerReady } from "../../core/model/events.ts";
import type { State } from "../../core/model/state.ts";
import type { GenerationNumber, Worker, WorkerId } from "../../core/model/worker.ts";
import type { Platform } from "../os/platform.ts";
import type { Batch } from "./batch.ts";
import type { ForeignLine, Invocation, LogEntry, ReceivedSignal, UpgradeOutcome, Wrapper } from "./front-end.ts";
import type { KeeperFacts } from "./keeper-facts.ts";
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
 * How far crank's own start is. `barrier`: the token that ends the stage. `failure`: why crank cannot start.
 * `isUnwanted`: it was told to end meanwhile. Both are handled when the stage ends: then everything that was opened is
 * known and can be removed.
 */
export type Boot = {
  readonly stage: "fresh" | "locking" | "opening" | "serving";
  readonly barrier: number;
  readonly failure: string | null;
  readonly isUnwanted: boolean;
  /**
   * Set if the crank before did not end normally: `killed` left its lock, `journal` also its journal. Missing: it
   * ended, or there was none.
   */
  readonly follows?: "killed" | "journal";
  /** The socket that `failure` is about, if another process has its address. */
  readonly inUse?: number;
  /** The journal could not stay on disk; missing: it is there. */
  readonly journal?: "memory";
};

/** A listening socket as the keeper opened it. `bind` is the index in `settings.binds`, null for the control socket. */
export type OpenSocket = {
  readonly handle: number;
  readonly bind: number | null;
  readonly domain: number;
  readonly type: number;
  /** With the actual port. */
  readonly address: string;
  /** The backlog when it was opened; missing: not known. */
  readonly limit?: number;
};

/**
 * The state of the name (file) of a unix socket, once something has happened to it; `bound`: a new socket has the name.
 * `oldWorkers`: workers up to this number have the old socket; null: none has. `told`, `failed`: rate limits of the
 * reports.
 */
export type SocketName = {
  readonly state: "restored" | "taken" | "blocked" | "lost" | "bound";
  /** The process that listens there; 0: unknown. */
  readonly pid: number;
  readonly reason: string | null;
  readonly oldWorkers: number | null;
  /** The number of rollouts for it, and when the next may begin, CLOCK_MONOTONIC ms. Missing: there was none. */
  readonly tries?: number;
  readonly tryAt?: number;
  /** A new socket is being bound. */
  readonly isBinding?: true;
  readonly told?: RateLimit;
  readonly failed?: RateLimit;
};

/**
 * What a worker reported on its notify socket, escaped and bounded. `notedAt`, `notedIn`: when its status was last
 * reported, and the worker's state then. `failures`, `mains`: rate limits of reports about ERRNO= and about a wrong
 * MAINPID=. `watchdogMs`: the period that it has chosen. `refused`: rate limits of messages that other processes sent
 * for it. `keeper`: the pid of the killed crank that started it; missing: this crank.
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
 * A check of a worker of the current generation: it may serve elsewhere than at the service's sockets
 * (accepting.ts). `at`, `until`: the times of the next and the last look, CLOCK_MONOTONIC ms. `waited`: how many looks
 * in a row found connections that were not accepted.
 */
export type AcceptCheck = {
  readonly generation: GenerationNumber;
  readonly at: number;
  readonly until: number;
  readonly waited: number;
};

/**
 * A worker is ready, and the resulting signals were sent with the commit of the keeper's event `seq`
 * (loop/decision.ts).
 */
export type Decision = Pick<WorkerReady, "worker" | "now" | "at"> & { readonly seq: number };

/** The supervisor's whole state in memory, restored at each start. `core` and the maps are only changed through the functions of save.ts. */
export type Store = {
  readonly platform: Platform;
  /** The program as which crank was called. */
  readonly frontEnd: FrontEnd;
  readonly facts: KeeperFacts;
  /**
   * Passes an event to the core and carries out its effects (loop/apply-effects.ts). `signals`: whether they were sent
   * already.
   */
  readonly advance: (event: CoreEvent, signals?: "unsent" | "sent") => void;
  readonly batch: Batch;
  readonly events: EventLog;
  readonly measurements: Measurements;
  settings: Settings | null;
  boot: Boot;
  core: State;
  /** The event for the core at the end of the keeper's event; null: none. */
  last: WorkerReady | null;
  /** A decision whose result an earlier supervisor did not write. */
  decision: Decision | null;
  counters: Counters;
  serviceManager: ServiceManager;
  /** null: none in progress. */
  adoption: Adoption | null;
  readonly sockets: Map<number, OpenSocket>;
  /** The state of sockets' names, by handle. */
  readonly names: Map<number, SocketName>;
  /** Descriptors that workers stored for later workers, by handle. */
  readonly stored: Map<number, StoredDescriptor>;
  descriptorStore: DescriptorStore;
  /** Sockets of the service that crank has closed while their connections are still being served. */
  closed: readonly OpenSocket[];
  readonly pending: Map<number, Pending>;
  readonly finished: Finished[];
  /** Workers and probes, by the keeper's ids, whose starts were not sent to the keeper yet, in order. */
  unstarted: readonly number[];
  /** The workers of probes that this supervisor began, by number of the probe. Others are searched for. */
  readonly probed: Map<number, WorkerId>;
  /** By worker. */
  readonly reports: Map<number, WorkerReport>;
  /** For each report that is made once per generation: the last generation (once-per-generation.ts). */
  once: Readonly<Record<string, GenerationNumber>>;
  /** By handle, as reported in the keeper's hello and when a socket is opened. */
  readonly inodes: Map<number, number>;
  /** Connections that follow `events`. */
  readonly followers: Set<number>;
  /** TCP connections that have sent the token. */
  readonly authenticated: Set<number>;
  /** Rate limit of reports of wrong tokens. Not journalled: the next supervisor begins to count again. */
  penalties: RateLimit | undefined;
  /** null: no look is due. */
  acceptCheck: AcceptCheck | null;
  /** null: none in progress. */
  upgrade: Upgrade | null;
  /** The program of the last upgrade with `-exec`; null: crank is where it was started. */
  program: string | null;
  /** The version of the journal's values. */
  format: number;
  /** The front end's own part (front-end-part.ts); null: not written yet. */
  frontEndPart: unknown;
};

/** Another protocol on the control socket. */
export type Dialect = {
  /** Handles the line and answers it. False: not a line of this dialect; the client gets the JSON-RPC error. */
  readonly take: (store: Store, line: ForeignLine) => boolean | Promise<boolean>;
};

export type FrontEnd = {
  /** Parses the arguments (without the program's name). Called once in a crank's life. */
  readonly parse: (
    args: readonly string[],
    environment: Readonly<Record<string, string | undefined>>,
    cwd: string,
    platform: Platform,
  ) => Invocation | Promise<Invocation>;
  /**
   * The action of each signal; other signals are ignored. Until the sockets are open, SIGTERM, SIGINT and SIGQUIT end
   * crank instead.
   */
  readonly signals: Readonly<Record<string, (store: Store, signal: ReceivedSignal) => Promise<void> | void>>;
  readonly dialect: Dialect;
  /** The log line of an event; null: none. */
  readonly describe: (store: Store, event: ServiceEvent) => Pick<LogEntry, "level" | "message"> | null;
  /** Called for every event when it is published, after the log. */
  readonly published?: (store: Store, event: ServiceEvent) => void;
  /** Called when the sockets are open. */
  readonly begun?: (store: Store) => Promise<void> | void;
  /** The wrapper of its upgrades, if it has one. */
  readonly wrapper?: (store: Store) => Wrapper | null;
  /** Called when an upgrade has ended, in the same batch: by the new supervisor, or by the one that stays. */
  readonly upgraded?: (store: Store, outcome: UpgradeOutcome, now: number) => void;
  /** Called when a helper command (helper-commands.ts) failed; `how` completes "the command …". */
  readonly helperCommandFailed?: (store: Store, how: string) => void;
  /** A ready worker that does not hold the sockets has failed; with `warn` it counts as ready, as its protocol says. */
  readonly unheldSockets?: "warn";
  /** The format of a log line in the text format. */
  readonly logLine: (store: Store, entry: LogEntry) => string;
  /** Where the reason of a failed start is printed, and the exit status; default: standard error, 1. */
  readonly setUpFailure?: { readonly sink: "stdout" | "stderr"; readonly status: number };
};
