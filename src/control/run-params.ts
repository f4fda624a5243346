// The parameters of `run`: what to deploy and how. Their bounds are in schemas.ts.

/** Durations are ms; null means no limit. A parameter that is left out keeps its value of the last good spec. */
export type RunParams = {
  /** Chosen by the client. A client that lost its connection sends the same request again and gets the answer of the same rollout. */
  readonly clientId?: string;
  /** The program and its arguments. */
  readonly command?: readonly string[];
  /** The directory of the workers. */
  readonly cwd?: string;
  /** The client's directory. With a `command`: the directory of the workers unless `cwd` is given, and the directory where a relative program is looked for. */
  readonly callerCwd?: string;
  /** Refuse the deploy unless this is the pid of a ready worker. Not checked while no worker is ready. */
  readonly pid?: number;
  /** true: answer when the rollout has ended, and send `progress` until then. false: answer when the rollout has begun. */
  readonly wait?: boolean;
  /** Give up a rollout that is in flight. Without it, a second deploy is refused. */
  readonly supersede?: boolean;
  /** From the start of a worker until it must be ready. */
  readonly startTimeout?: number | null;
  /** From the stop signal until SIGKILL. */
  readonly stopTimeout?: number | null;
  /** How many workers to run. */
  readonly instances?: number;
  /** How many workers above `instances` a rollout may run. */
  readonly surge?: number;
  /** How many available workers below `instances` a rollout may leave. */
  readonly unavailable?: number;
  /** How long a worker must stay ready before it counts as available. */
  readonly minReady?: number;
  /** How many more attempts follow when a worker fails before it is available. */
  readonly retries?: number;
  /** Limit for the whole rollout. */
  readonly deadline?: number | null;
  /** Pause between two replacements. */
  readonly pause?: number;
  /** How many workers of all generations may drain at once. */
  readonly draining?: number | null;
  /** Replace workers that are older. */
  readonly maxAge?: number | null;
  /** Replace workers whose process tree uses more memory than this, in bytes. */
  readonly maxMemory?: number | null;
  /** How often memory is checked. */
  readonly memoryInterval?: number;
  /** The first signal of a stop, with or without SIG. */
  readonly stopSignal?: string;
  /** Signals, each with the time since the stop began. The first has 0. */
  readonly stopSteps?: readonly { readonly signal: string; readonly after: number }[];
  /** `group`: the last stop step goes to the whole process group. `process`: to the main process only. */
  readonly killMode?: "group" | "process";
  /** A worker leaves its descriptors to its successor, which starts when the worker is gone. */
  readonly handOver?: boolean;
  /** How many descriptors workers may store. */
  readonly fdStore?: number;
  /** A worker may be ready without holding all of the sockets. */
  readonly socketsOptional?: boolean;
  /** How a worker proves that it serves. `delay`: it is alive after `after` ms. `http`: GET `path` is answered with 2xx. `exec`: `command` exits with 0. */
  readonly ready?: ReadyParams;
  /** Time between two readiness probes. */
  readonly probeInterval?: number;
  /** Limit for one readiness probe. */
  readonly probeTimeout?: number;
  /** How many readiness probes must succeed in a row. */
  readonly probeThreshold?: number;
  /** The address that readiness probes ask; "" for the shared socket. */
  readonly probeAddress?: string;
  /** How a ready worker shows that it is alive. `watchdog`: it sends WATCHDOG=1 at least every `period` ms. */
  readonly live?: LiveParams;
  /** Time between two liveness probes. */
  readonly liveInterval?: number;
  /** Limit for one liveness probe. */
  readonly liveTimeout?: number;
  /** How many liveness probes must fail in a row. */
  readonly liveThreshold?: number;
  /** The address that liveness probes ask; "" for the shared socket. */
  readonly liveAddress?: string;
  /** Changes to the environment; null unsets a variable. At most 1000 names, at most 131071 bytes for a name with its value. */
  readonly env?: Readonly<Record<string, string | null>>;
  /** A user name, or UID:GID. */
  readonly user?: string;
  /** The workers' file mode creation mask. */
  readonly umask?: number;
  /** Workers cannot gain privileges by executing a program. */
  readonly noNewPrivs?: boolean;
  /** Resource limits by name, in lower case without RLIMIT_; null is no limit. At most 16. */
  readonly limits?: Readonly<Record<string, number | null>>;
};
export type ReadyParams =
  | { readonly kind: "notify" | "ack" }
  | { readonly kind: "tcp" }
  | { readonly kind: "delay"; readonly after: number }
  | { readonly kind: "http"; readonly path: string }
  | { readonly kind: "exec"; readonly command: readonly string[] };
export type LiveParams =
  | { readonly kind: "off" }
  | { readonly kind: "tcp" }
  | { readonly kind: "http"; readonly path: string }
  | { readonly kind: "exec"; readonly command: readonly string[] }
  | { readonly kind: "watchdog"; readonly period: number };
