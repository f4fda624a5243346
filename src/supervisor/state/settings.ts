// What crank was started with: the same for every supervisor of its life. A front end makes it from its own flags.
import type { Spec, SpecDefaults } from "../../core/model/spec.ts";
import type { Policy, Respawn } from "../../core/model/state.ts";
import type { Address, SocketOptions } from "../os/addresses.ts";

export type LogFormat = "text" | "json" | "raw";
/** `quiet`: errors only. `verbose`: every step of every worker. */
export type Verbosity = "quiet" | "normal" | "verbose";

/** One listening socket: where, and how. */
export type Bind = {
  /** As it was given. */
  readonly uri: string;
  /** For LISTEN_FDNAMES. */
  readonly name: string;
  readonly address: Address;
  readonly options: SocketOptions;
};

export type Settings = {
  /** The program that the user called: "crank". */
  readonly program: string;
  /** "" when none was given. */
  readonly name: string;
  readonly binds: readonly Bind[];
  /** The control socket; null for none. */
  readonly control: {
    readonly uri: string;
    readonly address: Address;
    /** Missing: none were given. */
    readonly options?: SocketOptions;
  } | null;
  /** Where metrics are served; missing: nowhere. */
  readonly metrics?: { readonly uri: string; readonly address: Address; readonly options: SocketOptions };
  /** Where the record is; null: nothing is recorded. */
  readonly recordPath: string | null;
  /** Where the journal, the lock and the notify sockets are; null: the journal is in memory, and workers have NOTIFY_FD alone. */
  readonly runDirectory: string | null;
  /** How the notify sockets are named; missing: by the worker's number alone, as earlier versions did. */
  readonly notifyNames?: "fixed";
  /** What to start with; null: what the record holds. */
  readonly first: Spec | null;
  /** crank's own working directory. */
  readonly cwd: string;
  /** ms; null: crank exits when its last worker is gone. */
  readonly respawnMs: number | null;
  /** What is respawned; missing: every worker. `pools`: where more than one is wanted. */
  readonly respawns?: "pools";
  readonly manner: Policy;
  /** How long an idle supervisor stays, ms. */
  readonly lingerMs: number;
  readonly logFormat: LogFormat;
  /** What is put before a worker's lines in the text format: `%w` is its number, `%m` crank's pid, the rest as the keeper's `spawn.prefix`. */
  readonly linePrefix: string;
  /** Where workers' lines go. */
  readonly outputSink: "stdout" | "stderr";
  /** What goes to syslog, see syslog.ts; null: nothing. */
  readonly syslog: { readonly carries: "everything" | "warnings" } | null;
  /** What workers read from. `inherit`: crank's own standard input. */
  readonly workerInput: "null" | "inherit";
  readonly verbosity: Verbosity;
  /** What becomes of workers that a killed crank with the same files left. */
  readonly leftWorkers: "adopt" | "leave";
  /** What a first run starts from. */
  readonly defaults: SpecDefaults;
  /** What few programs have. */
  readonly extras?: Extras;
};

/** How workers that die are started again, as the core wants it. */
export const respawnOf = ({ respawnMs, respawns }: Settings): Respawn | null =>
  respawnMs === null ? null : { baseMs: respawnMs, ...(respawns === "pools" ? { pools: true } : {}) };

export type Extras = {
  /** Holds crank's pid while it serves. */
  readonly pidPath: string;
  /** An empty file that is made and stays. */
  readonly lockPath: string;
  /** What ps shows of the keeper. */
  readonly title: string;
  /** The program and its arguments as they were given. */
  readonly words: readonly string[];
  /** The signal that a worker gets when the keeper is gone; null: none. */
  readonly deathSignal: string | null;
  /** How a worker reaches the control socket: by its path, or also by a descriptor that is connected to it, in EINHORN_SOCK_FD. */
  readonly commandSocket: "path" | "descriptor";
  /** Through what a new supervisor is started at an upgrade, and how long that may take, ms, 0 for ever; null: by itself. */
  readonly reexec: { readonly command: readonly string[]; readonly patienceMs: number } | null;
  /** The nice levels of keeper and supervisor, and of workers; null: as it was started. `command` sets them, where it is not null. */
  readonly nice: { readonly master: number | null; readonly worker: number | null; readonly command: string | null };
  /** Taken out of the environment of workers that are started after the first upgrade. */
  readonly dropOnUpgrade: readonly string[];
};

/** How many descriptors are stored where nobody says otherwise. */
export const FD_STORE = 512;

export const CRANK_DEFAULTS: SpecDefaults = {
  instances: 1,
  surge: 1,
  unavailable: 0,
  readiness: { kind: "notify" },
  startTimeoutMs: 30_000,
  stopTimeoutMs: 30_000,
  stopSteps: [
    { signal: "SIGTERM", afterMs: 0 },
    { signal: "SIGKILL", afterMs: 30_000 },
  ],
  killMode: "group",
  handOver: false,
  fdStore: FD_STORE,
};
