// The control protocol's vocabulary: every method with its parameters, its result and what it streams. JSON-RPC 2.0, one message a line.
import type { Note } from "../core/model/effects.ts";
import type { Failure } from "../core/model/state.ts";
import type { Happening } from "./happenings.ts";

/** Durations are ms; null means no limit; what is left out is taken from the last good spec. */
export type RunParams = {
  /** Chosen by the client, so that it can ask again after a lost connection and get the same rollout's answer. */
  readonly clientId?: string;
  readonly command?: readonly string[];
  /** Absolute. */
  readonly cwd?: string;
  /** Absolute: with a `command`, the directory that it is run in unless `cwd` says otherwise, and where its file is looked for if it is relative. Without it, the last run's, and where crank was started. */
  readonly callerCwd?: string;
  /** `-pid`: refused unless this is a ready worker's pid, when there is one. */
  readonly pid?: number;
  /** Answer when the rollout has ended, with `progress` meanwhile; else as soon as it has begun. */
  readonly wait?: boolean;
  readonly supersede?: boolean;
  readonly startTimeout?: number | null;
  readonly stopTimeout?: number | null;
  readonly instances?: number;
  readonly surge?: number;
  readonly unavailable?: number;
  readonly minReady?: number;
  readonly retries?: number;
  readonly deadline?: number | null;
  /** Between two replacements. */
  readonly pause?: number;
  /** How many workers may drain at once, of all generations; null is no limit. */
  readonly draining?: number | null;
  /** Workers that are older are replaced. */
  readonly maxAge?: number | null;
  /** Bytes: workers that use more, with all that they have started, are replaced; looked at every `memoryInterval`. */
  readonly maxMemory?: number | null;
  readonly memoryInterval?: number;
  readonly stopSignal?: string;
  readonly stopSteps?: readonly { readonly signal: string; readonly after: number }[];
  readonly killMode?: "group" | "process";
  /** Workers leave what they have to their successors, which are started when they are gone. */
  readonly handOver?: boolean;
  /** How many descriptors workers may leave. */
  readonly fdStore?: number;
  /** A worker may be ready without holding all of the sockets. */
  readonly socketsOptional?: boolean;
  /** How a worker proves that it can serve. */
  readonly ready?: ReadyParams;
  /** For the probes of `ready`: ms between two, ms for each, how many have to go well in a row, and where ("" for the shared socket). */
  readonly probeInterval?: number;
  readonly probeTimeout?: number;
  readonly probeThreshold?: number;
  readonly probeAddress?: string;
  /** How a ready worker shows that it is alive. */
  readonly live?: LiveParams;
  /** For the probes of `live`, as for those of `ready`; so many have to fail in a row. */
  readonly liveInterval?: number;
  readonly liveTimeout?: number;
  readonly liveThreshold?: number;
  readonly liveAddress?: string;
  /** null unsets. */
  readonly env?: Readonly<Record<string, string | null>>;
  readonly user?: string;
  readonly umask?: number;
  /** Workers gain no rights by executing a program. */
  readonly noNewPrivs?: boolean;
  /** By name without RLIMIT_, lower case; null is no limit. */
  readonly limits?: Readonly<Record<string, number | null>>;
};
/** `delay` with `after` in ms; `http`: GET `path`; `exec`: `command` with its arguments. */
export type ReadyParams =
  | { readonly kind: "notify" | "ack" }
  | { readonly kind: "tcp" }
  | { readonly kind: "delay"; readonly after: number }
  | { readonly kind: "http"; readonly path: string }
  | { readonly kind: "exec"; readonly command: readonly string[] };
/** `watchdog`: WATCHDOG=1 has to come at least every `period` ms. */
export type LiveParams =
  | { readonly kind: "off" }
  | { readonly kind: "tcp" }
  | { readonly kind: "http"; readonly path: string }
  | { readonly kind: "exec"; readonly command: readonly string[] }
  | { readonly kind: "watchdog"; readonly period: number };
/** `accepted`: has begun (no `wait`). `warning`: the deploy stands, but the record could not be written. */
export type RunResult = {
  readonly generation: number;
  readonly accepted: boolean;
  readonly pids: readonly number[];
  readonly warning?: string;
};

/** Which workers: the state flags add up, `pid` narrows; with none of them all workers (ps) or no worker (kill). */
export type Selector = {
  readonly starting?: boolean;
  readonly ready?: boolean;
  readonly stopping?: boolean;
  readonly pid?: number;
};

/** What a worker used when it was measured last, all of its process tree together. null: that may not be known. */
export type Usage = {
  /** ISO 8601: when. */
  readonly at: string;
  readonly processes: number;
  /** Bytes: its proportional share (PSS) where that may be read, else what is resident (RSS). */
  readonly memory: number | null;
  /** Seconds of processor time, that of processes which are gone and were waited for included. */
  readonly cpu: number;
  /** Connections that it has accepted on the service's sockets, and not closed. */
  readonly connections: number | null;
};
export type WorkerInfo = {
  readonly pid: number | null;
  readonly id: number;
  readonly generation: number;
  readonly state: "starting" | "ready" | "stopping";
  /** As given. */
  readonly cwd: string;
  readonly command: readonly string[];
  /** What they led to when it was deployed. Missing from an earlier crank. */
  readonly resolved?: { readonly cwd: string; readonly file: string };
  /** ISO 8601. */
  readonly startedAt: string;
  /** Seconds. */
  readonly uptime: number;
  /** With how many stored descriptors it was started; missing when with none. */
  readonly descriptors?: number;
  /** How often a worker of this generation was started again at this one's place. Missing from an earlier crank. */
  readonly restarts?: number;
  /** null: it has not been measured. Missing from an earlier crank. */
  readonly usage?: Usage | null;
  /** What it says of itself (sd_notify(3)), if it does: STATUS= with control characters escaped, ERRNO=, and RELOADING=1 until it is ready again. */
  readonly status?: string;
  readonly errno?: number;
  readonly reloading?: true;
  /** Its main process, which \`pid\` was, has ended, and so many others of its tree had not: they are stopping. Missing while it lives. */
  readonly rest?: number;
};
export type SocketInfo = {
  readonly name: string;
  /** As given to -bind, the port filled in. */
  readonly address: string;
  /** Connections that wait to be accepted, and how many may; null where the kernel does not say. */
  readonly queue: number | null;
  readonly limit: number | null;
  /** Connections that workers hold, when they were measured last; null: that is not known, or there are none at such a socket. This and the next are missing from an earlier crank. */
  readonly connections?: number | null;
  /** What the kernel has dropped at it since it was made, above all because its queue was full; null where it does not say. */
  readonly drops?: number | null;
  /** Why the socket is not reached by its path; missing: it is. */
  readonly problem?: string;
};
export type RolloutInfo = {
  readonly generation: number;
  readonly startedAt: string;
  readonly wanted: number;
  readonly starting: number;
  readonly ready: number;
  readonly available: number;
  readonly oldLeft: number;
  readonly attemptsLeft: number;
  /** What it waits for before its next replacement: the end of a pause (`until` is ISO 8601), or a place among `limit` that drain. */
  readonly waiting?:
    | { readonly kind: "pause"; readonly until: string }
    | { readonly kind: "draining"; readonly limit: number }
    | null;
};
/** Workers that have served and are stopping: how many, of which generations, and how many there may be at once. */
export type DrainingInfo = {
  readonly workers: number;
  readonly generations: readonly number[];
  readonly limit: number | null;
};
/** What workers left for later ones. `names`: each once. */
export type StoredInfo = { readonly count: number; readonly limit: number; readonly names: readonly string[] };
export type Status = {
  readonly name: string;
  /** The keeper's. */
  readonly pid: number;
  readonly generation: number | null;
  /** Wanted now. */
  readonly instances: number;
  readonly phase: "running" | "stopping";
  readonly startedAt: string;
  readonly restarts: number;
  readonly sockets: readonly SocketInfo[];
  readonly rollout: RolloutInfo | null;
  /** Missing from a crank that does not know it yet. */
  readonly draining?: DrainingInfo;
  readonly workers: readonly WorkerInfo[];
  /** Missing when nothing is stored. */
  readonly stored?: StoredInfo;
  /** What is not on disk as it should be: the journal is in memory, the record is not what is in place. Missing: all is. */
  readonly unwritten?: readonly ("journal" | "record")[];
};
export type Info = {
  readonly name: string;
  readonly version: string;
  /** The keeper's version; the same program executed in place may differ for a moment. */
  readonly keeperVersion: string;
  readonly protocol: number;
  readonly pid: number;
  readonly supervisorPid: number;
  /** What supervisors run on: `engine`, the program itself. Earlier cranks name another program, as `bun 1.4.4`. */
  readonly runtime: string;
  readonly startedAt: string;
  /** Of the times in its log and before workers' lines, as `+05:30`. Missing from an earlier crank. */
  readonly timeZone?: string;
  /** How often crank was upgraded, and supervisors died unasked. */
  readonly upgrades: number;
  readonly supervisorDeaths: number;
};
export type HistoryEntry = {
  readonly generation: number;
  readonly at: string;
  readonly current: boolean;
  readonly command: readonly string[];
  /** As given. */
  readonly cwd: string;
  readonly instances: number;
  /** What directory and command led to when it was deployed. Missing from an earlier crank. */
  readonly resolved?: { readonly cwd: string; readonly file: string };
};

/** How an upgrade went: versions, and whether the keeper's program was another one, too. */
export type UpgradeDone = { readonly from: string; readonly to: string; readonly keeper: boolean };

/** One thing that happened. `seq` grows by one; `time` is ISO 8601. */
export type EventEntry = CoreEntry | HappeningEntry;
export type CoreEntry = Numbered & Note;
export type HappeningEntry = Numbered & Happening;
type Numbered = { readonly seq: number; readonly time: string };

/** Every method: `params` in, `result` out. */
export type Methods = {
  /** First on a tcp control connection: the secret of CRANK_CTL_TOKEN. */
  authenticate: { params: { readonly token: string }; result: Record<string, never> };
  info: { params: Record<string, never>; result: Info };
  run: { params: RunParams; result: RunResult };
  reload: { params: { readonly wait?: boolean; readonly clientId?: string }; result: RunResult };
  /** To the generation `to`, default the one before the current. */
  rollback: {
    params: { readonly to?: number; readonly wait?: boolean; readonly clientId?: string };
    result: RunResult;
  };
  history: { params: Record<string, never>; result: readonly HistoryEntry[] };
  scale: {
    params: { readonly to?: number; readonly by?: number };
    result: { readonly from: number; readonly to: number };
  };
  /** `measure`: with what the workers use, measured now or a moment ago. */
  ps: { params: Selector & { readonly measure?: boolean }; result: readonly WorkerInfo[] };
  status: { params: { readonly measure?: boolean }; result: Status };
  /** `signal`: a name with or without SIG. `wait`: answered when the signalled workers are gone. */
  kill: {
    params: Selector & { readonly signal?: string; readonly wait?: boolean };
    result: { readonly pids: readonly number[] };
  };
  /** Streams `event` and `happening` notifications: those held from `from` on (default: none of the past), then all that follow if `follow`. */
  events: {
    params: { readonly from?: number; readonly follow?: boolean };
    /** The numbers of the oldest event that is held, and of the next one. */
    result: { readonly first: number; readonly next: number };
  };
  /** Streams `log` notifications: the last `lines` (default 10), then all that follow if `follow`; the result comes before the first. */
  logs: {
    params: { readonly follow?: boolean; readonly lines?: number; readonly pid?: number };
    result: Record<string, never>;
  };
  /** `exec`: the absolute path of the program to go to (default: by which crank was started). `done` is null without `wait`. */
  upgrade: {
    params: { readonly exec?: string; readonly wait?: boolean };
    result: { readonly done: UpgradeDone | null };
  };
  shutdown: { params: { readonly wait?: boolean }; result: { readonly workers: number } };
};
export type Method = keyof Methods;

/**
 * Notifications from crank to a client. `progress` goes to whoever waits for a rollout. The end of `logs` without follow is
 * `logEnd`. What `events` streams has one row of numbers and two names: clients that know `event` alone, as the first ones
 * did, get nothing that they do not know.
 */
export type Notifications = {
  progress: CoreEntry;
  event: CoreEntry;
  happening: HappeningEntry;
  /** `time`: ISO 8601. */
  log: {
    readonly time: string;
    readonly worker: number;
    readonly pid: number;
    readonly line: string;
    /** A piece of a line that is too long for one; the last piece is without it. */
    readonly partial?: true;
  };
  logEnd: Record<string, never>;
};

/** JSON-RPC's own codes, and ours (positive). */
export const ERROR_CODES = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  /** Not done, and nothing has changed: `message` is the sentence to show. */
  refused: 1,
  /** Tried, and rolled back: `data` is a FailureData. */
  failed: 2,
  unauthorized: 3,
} as const;

/** What went wrong with a deploy: which worker, and why; its last lines are in the failure. */
export type FailureData = {
  readonly generation: number;
  readonly worker: number | null;
  readonly pid: number | null;
  readonly failure: Failure;
};
export type RpcError = { readonly code: number; readonly message: string; readonly data?: FailureData };
