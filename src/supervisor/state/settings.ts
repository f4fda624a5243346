// What crank was started with: the same for all its supervisors. A front end makes it from its own flags.
import type { Spec } from "../../core/model/spec.ts";
import type { Policy, Respawn } from "../../core/model/state.ts";
import type { SpecDefaults } from "../../spec/defaults.ts";
import type { Address, SocketOptions } from "../os/addresses.ts";

export type LogFormat = "text" | "json" | "raw";
/** `quiet`: errors only. `verbose`: every step of every worker. */
export type Verbosity = "quiet" | "normal" | "verbose";

/** One listening socket: where, and how. */
export type Bind = {
  /** As given. */
  readonly uri: string;
  /** For LISTEN_FDNAMES. */
  readonly name: string;
  readonly address: Address;
  readonly options: SocketOptions;
};

export type Settings = {
  /** The program as which crank was called: "crank". */
  readonly program: string;
  /** "" if none was given. */
  readonly name: string;
  readonly binds: readonly Bind[];
  /** The control socket; null: none. */
  readonly control: {
    readonly uri: string;
    readonly address: Address;
    /** Missing: none given. */
    readonly options?: SocketOptions;
  } | null;
  /** The metrics socket; missing: none. */
  readonly metrics?: { readonly uri: string; readonly address: Address; readonly options: SocketOptions };
  /** The path of the record; null: there is no record. */
  readonly recordPath: string | null;
  /**
   * The directory of the journal, the lock and the notify sockets; null: the journal is in memory, and workers have
   * NOTIFY_FD only.
   */
  readonly runDirectory: string | null;
  /** How notify sockets are named; missing: by the worker's number, as earlier versions did. */
  readonly notifyNames?: "fixed";
  /** What to deploy at the start; null: the last spec of the record. */
  readonly first: Spec | null;
  /** Crank's own working directory. */
  readonly cwd: string;
  /** ms; null: crank exits when its last worker is gone. */
  readonly respawnMs: number | null;
  /** Which workers are restarted; missing: all. `pools`: only while more than one is wanted. */
  readonly respawns?: "pools";
  readonly manner: Policy;
  /** How long a supervisor without work stays, ms. */
  readonly lingerMs: number;
  readonly logFormat: LogFormat;
  /**
   * The prefix of workers' lines in the text format: `%w` is the worker's number, `%m` crank's pid, the rest as in the
   * keeper's `spawn.prefix`.
   */
  readonly linePrefix: string;
  /** Where workers' output goes. */
  readonly outputSink: "stdout" | "stderr";
  /** What goes to syslog (syslog.ts); null: nothing. */
  readonly syslog: { readonly carries: "everything" | "warnings" } | null;
  /** The standard input of workers. `inherit`: crank's own. */
  readonly workerInput: "null" | "inherit";
  readonly verbosity: Verbosity;
  /** What to do with workers that a killed crank with the same files left. */
  readonly leftWorkers: "adopt" | "leave";
  /** The base of a first deploy. */
  readonly defaults: SpecDefaults;
  /** What only few programs have. */
  readonly extras?: Extras;
};

/** How workers are restarted, as the core needs it. */
export const respawnOf = ({ respawnMs, respawns }: Settings): Respawn | null =>
  respawnMs === null ? null : { baseMs: respawnMs, ...(respawns === "pools" ? { pools: true } : {}) };

export type Extras = {
  /** The file that holds crank's pid while it serves. */
  readonly pidPath: string;
  /** An empty file that is created and stays. */
  readonly lockPath: string;
  /** The process title of the keeper in ps. */
  readonly title: string;
  /** The program and its arguments as given. */
  readonly words: readonly string[];
  /** The signal that a worker gets when the keeper dies; null: none. */
  readonly deathSignal: string | null;
  /** How a worker reaches the control socket: by its path, or also by a connected descriptor, EINHORN_SOCK_FD. */
  readonly commandSocket: "path" | "descriptor";
  /**
   * The command through which an upgrade starts the new supervisor, and its time limit, ms (0: none); null: started
   * directly.
   */
  readonly reexec: { readonly command: readonly string[]; readonly patienceMs: number } | null;
  /** Nice levels of keeper and supervisor, and of workers; null: unchanged. `command`: sets them, if it is not null. */
  readonly nice: { readonly master: number | null; readonly worker: number | null; readonly command: string | null };
  /** Variables removed from the environment of workers that start after the first upgrade. */
  readonly dropOnUpgrade: readonly string[];
};
