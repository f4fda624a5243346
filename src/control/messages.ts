// The control protocol: every method with its parameters, its result and what it streams. JSON-RPC 2.0, one message per line.
// docs/reference/control-protocol.md is generated from these types and schemas.ts.
import type { ServiceEvent } from "../core/model/effects.ts";
import type { Failure } from "../core/model/worker.ts";
import type { RunParams } from "./run-params.ts";
import type { SupervisorEvent } from "./supervisor-events.ts";

export type RunResult = {
  readonly generation: number;
  /** true: the rollout has begun (without `wait`). false: it is complete. */
  readonly accepted: boolean;
  /** The workers of the generation. */
  readonly pids: readonly number[];
  /** The deploy is complete, but there is a problem, for example the record cannot be written. */
  readonly warning?: string;
};

/** Which workers: any of the given states, and `pid` if given. Without a selector: all workers (ps), or none (kill). */
export type Selector = {
  /** Select workers that are starting. */
  readonly starting?: boolean;
  /** Select workers that are ready. */
  readonly ready?: boolean;
  /** Select workers that are stopping. */
  readonly stopping?: boolean;
  /** Select the worker with this pid. */
  readonly pid?: number;
};

/** What the process tree of a worker used when it was last measured. null: unknown. */
export type Usage = {
  /** When it was measured, ISO 8601. */
  readonly at: string;
  readonly processes: number;
  /** Bytes: the proportional set size (PSS) where it may be read, else the resident set size (RSS). */
  readonly memory: number | null;
  /** Seconds of processor time. Includes ended processes that were waited for. */
  readonly cpu: number;
  /** Open connections that it accepted on the service's sockets. */
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
  /** The resolved paths of the directory and the program at their deploy. Missing from earlier versions. */
  readonly resolved?: { readonly cwd: string; readonly file: string };
  /** ISO 8601. */
  readonly startedAt: string;
  /** Seconds. */
  readonly uptime: number;
  /** How many stored descriptors it was started with; missing if none. */
  readonly descriptors?: number;
  /** Restart count of this worker's slot in this generation. Missing from earlier versions. */
  readonly restarts?: number;
  /** null: not measured. Missing from earlier versions. */
  readonly usage?: Usage | null;
  /** The worker's last STATUS= (sd_notify(3)), control characters escaped. */
  readonly status?: string;
  /** The worker's last ERRNO=. */
  readonly errno?: number;
  /** The worker sent RELOADING=1 and is not ready again yet. */
  readonly reloading?: true;
  /** The main process has ended, and this many other processes of the tree are stopping. Missing while the main process lives. */
  readonly rest?: number;
};
export type SocketInfo = {
  readonly name: string;
  /** As given to -bind, with the real port. */
  readonly address: string;
  /** Connections in the accept queue; null if unknown. */
  readonly queue: number | null;
  /** Length limit of the accept queue; null if unknown. */
  readonly limit: number | null;
  /** Connections that workers hold, when last measured; null if unknown. Missing from earlier versions. */
  readonly connections?: number | null;
  /** Connections that the kernel dropped since the socket was opened, mostly because the queue was full; null if unknown. Missing from earlier versions. */
  readonly drops?: number | null;
  /** Why the socket cannot be reached by its path; missing if it can. */
  readonly problem?: string;
};
export type RolloutInfo = {
  readonly generation: number;
  readonly startedAt: string;
  readonly wanted: number;
  readonly starting: number;
  readonly ready: number;
  readonly available: number;
  /** Workers of older generations that are not stopping yet. */
  readonly oldLeft: number;
  readonly attemptsLeft: number;
  /** What the next replacement waits for: the end of a pause (`until` is ISO 8601), or one of the `limit` draining workers. */
  readonly waiting?:
    | { readonly kind: "pause"; readonly until: string }
    | { readonly kind: "draining"; readonly limit: number }
    | null;
};
/** Draining workers: how many, of which generations, and the limit. */
export type DrainingInfo = {
  readonly workers: number;
  readonly generations: readonly number[];
  readonly limit: number | null;
};
/** Descriptors that workers stored. `names`: each name once. */
export type StoredInfo = { readonly count: number; readonly limit: number; readonly names: readonly string[] };
export type Status = {
  readonly name: string;
  /** The keeper's pid. */
  readonly pid: number;
  readonly generation: number | null;
  /** The target number of workers. */
  readonly instances: number;
  readonly phase: "running" | "stopping";
  readonly startedAt: string;
  readonly restarts: number;
  readonly sockets: readonly SocketInfo[];
  readonly rollout: RolloutInfo | null;
  /** Missing from earlier versions. */
  readonly draining?: DrainingInfo;
  readonly workers: readonly WorkerInfo[];
  /** The last failed start, unexpected exit or rolled back rollout; missing after the next complete rollout. */
  readonly lastFailure?: string;
  /** Missing if nothing is stored. */
  readonly stored?: StoredInfo;
  /** What is not written to disk: `journal` is in memory, `record` is older than the current spec. Missing if all is written. */
  readonly unwritten?: readonly ("journal" | "record")[];
};
export type Info = {
  readonly name: string;
  readonly version: string;
  /** The keeper's version. It may differ from `version` for a moment during an upgrade. */
  readonly keeperVersion: string;
  readonly protocol: number;
  readonly pid: number;
  readonly supervisorPid: number;
  /** What supervisors run on: the engine in the program, such as `quickjs-ng 0.18.0`. Earlier versions name another program, such as `bun 1.4.4`. */
  readonly runtime: string;
  readonly startedAt: string;
  /** Time zone of the log, such as `+05:30`. Missing from earlier versions. */
  readonly timeZone?: string;
  /** How often crank was upgraded. */
  readonly upgrades: number;
  /** How often the supervisor died unexpectedly. */
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
  /** The resolved paths of the directory and the program at their deploy. Missing from earlier versions. */
  readonly resolved?: { readonly cwd: string; readonly file: string };
};

/** All settings of a deploy. `values`: by parameter of `run`, with a value for each. */
export type ServiceSettings = {
  readonly command: readonly string[];
  /** null: it does not apply, or there is no limit. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Where directory and program are, links followed. Missing from earlier versions. */
  readonly resolved?: { readonly cwd: string; readonly file: string };
};
/** The settings of a service. */
export type Config = {
  /** The generation in effect, and its settings; null if nothing was deployed. */
  readonly running: (ServiceSettings & { readonly generation: number }) | null;
  /** The generation that is being rolled out, and its settings. */
  readonly rollout: (ServiceSettings & { readonly generation: number }) | null;
  /** What the `run` of the request would deploy; null without one. */
  readonly asked: ServiceSettings | null;
};

/** The result of an upgrade: both versions, and whether the keeper was replaced too. */
export type UpgradeDone = { readonly from: string; readonly to: string; readonly keeper: boolean };

/** One event. `seq` grows by one with each event; `time` is ISO 8601. */
export type EventEntry = CoreEntry | SupervisorEventEntry;
export type CoreEntry = Numbered & ServiceEvent;
export type SupervisorEventEntry = Numbered & SupervisorEvent;
type Numbered = { readonly seq: number; readonly time: string };

/** For requests that deploy. */
export type WaitParams = {
  /** true: answer when the rollout has ended, and send `progress` until then. false: answer when the rollout has begun. */
  readonly wait?: boolean;
  /** As for `run`. */
  readonly clientId?: string;
};
export type MeasureParams = {
  /** true: include what each worker uses, measured now or a moment ago. */
  readonly measure?: boolean;
};

/** Every method: `params` in, `result` out. */
export type Methods = {
  /** The first request on a tcp control connection. */
  authenticate: {
    params: {
      /** The secret of CRANK_CTL_TOKEN. */
      readonly token: string;
    };
    result: Record<string, never>;
  };
  /** Versions, pids and counters of crank itself. */
  info: { params: Record<string, never>; result: Info };
  /** Deploys a spec. */
  run: { params: RunParams; result: RunResult };
  /** Deploys the last good spec again, with links resolved again. */
  reload: { params: WaitParams; result: RunResult };
  /** Deploys an earlier good spec again. */
  rollback: {
    params: WaitParams & {
      /** The generation to go back to. Default: the one before the current. */
      readonly to?: number;
    };
    result: RunResult;
  };
  /** The good specs, oldest first. */
  history: { params: Record<string, never>; result: readonly HistoryEntry[] };
  /** The settings in effect, and those that a `run` would have. Changes nothing. */
  config: {
    params: {
      /** The parameters of a `run`. It is refused as the `run` would be. */
      readonly run?: RunParams;
    };
    result: Config;
  };
  /** Changes the number of workers until the next deploy. Needs either `to` or `by`. */
  scale: {
    params: {
      /** The new number of workers. */
      readonly to?: number;
      /** How many workers to add; negative to remove. */
      readonly by?: number;
    };
    result: { readonly from: number; readonly to: number };
  };
  /** Lists workers. */
  ps: { params: Selector & MeasureParams; result: readonly WorkerInfo[] };
  /** The whole state of the service. */
  status: { params: MeasureParams; result: Status };
  /** Sends a signal to the selected workers. */
  kill: {
    params: Selector & {
      /** With or without SIG. Default: TERM. */
      readonly signal?: string;
      /** true: answer when the signalled workers have exited. */
      readonly wait?: boolean;
    };
    result: { readonly pids: readonly number[] };
  };
  /** Streams `event` and `happening` notifications. The result has the number of the oldest event that is held, and of the next event. */
  events: {
    params: {
      /** Begin with this event. Default: no past events. */
      readonly from?: number;
      /** true: continue with new events. */
      readonly follow?: boolean;
    };
    result: { readonly first: number; readonly next: number };
  };
  /** Streams `log` notifications after the result. */
  logs: {
    params: {
      /** true: continue with new lines. */
      readonly follow?: boolean;
      /** How many past lines. Default: 10. */
      readonly lines?: number;
      /** Only lines of the worker with this pid. */
      readonly pid?: number;
    };
    result: Record<string, never>;
  };
  /** Replaces crank's own program while it runs. `done` is null without `wait`. */
  upgrade: {
    params: {
      /** Absolute path of the new program. Default: the path by which crank was started. */
      readonly exec?: string;
      /** true: answer when the upgrade has ended. */
      readonly wait?: boolean;
    };
    result: { readonly done: UpgradeDone | null };
  };
  /** Stops all workers, then ends crank. */
  shutdown: {
    params: {
      /** true: answer when all workers have exited. */
      readonly wait?: boolean;
    };
    result: { readonly workers: number };
  };
};
export type Method = keyof Methods;

/**
 * Notifications from crank to a client. Events share one sequence of numbers and have two names, because the first clients
 * know `event` only.
 */
export type Notifications = {
  /** An event of the rollout that the client waits for. */
  progress: CoreEntry;
  /** An event of a worker or a rollout. */
  event: CoreEntry;
  /** Any other event. */
  happening: SupervisorEventEntry;
  /** A line of a worker's output. `time` is ISO 8601. `partial`: part of a long line; the last part is without it. */
  log: {
    readonly time: string;
    readonly worker: number;
    readonly pid: number;
    readonly line: string;
    readonly partial?: true;
  };
  /** The end of `logs` without `follow`. */
  logEnd: Record<string, never>;
};

/** JSON-RPC's own codes, and ours (positive). */
export const ERROR_CODES = {
  /** The line is not valid JSON. */
  parse: -32700,
  /** The line is not a JSON-RPC 2.0 request. */
  invalidRequest: -32600,
  /** No such method. */
  methodNotFound: -32601,
  /** A parameter is missing, unknown or out of range; `message` names it. */
  invalidParams: -32602,
  /** A fault of crank's own. */
  internal: -32603,
  /** Refused; nothing has changed. `message` says why. */
  refused: 1,
  /** The deploy failed and was rolled back. `data` is a FailureData. */
  failed: 2,
  /** The token is missing or wrong. */
  unauthorized: 3,
} as const;

/** Why a deploy failed, and which worker failed. The worker's last lines of output are in `failure`. */
export type FailureData = {
  readonly generation: number;
  readonly worker: number | null;
  readonly pid: number | null;
  readonly failure: Failure;
};
export type RpcError = { readonly code: number; readonly message: string; readonly data?: FailureData };
