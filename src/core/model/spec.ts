// A spec: what to run and how. Plain JSON, complete (every default filled in), as the record and the journal hold it.

/** A user to run as, already looked up: the ids, and the name as given. */
export type Identity = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Home directory and shell, for the environment; missing if the environment stays crank's. */
  readonly home?: string;
  readonly shell?: string;
};

/** A resource limit, by its name without RLIMIT_, lower case (`nofile`). null is no limit. */
export type Limit = { readonly name: string; readonly soft: number | null; readonly hard: number | null };

/**
 * A check of a worker from outside. `http`: GET `path` returns a status 2xx. `exec`: the command exits with status 0.
 */
export type Check =
  | { readonly kind: "tcp" }
  | { readonly kind: "http"; readonly path: string }
  | { readonly kind: "exec"; readonly command: readonly string[] };

/** A check that is repeated. */
export type Probe = {
  readonly check: Check;
  /**
   * Its placeholders are {pid}, {worker}, {index} and {generation}; null: the first socket, if this worker accepts on
   * it.
   */
  readonly address: string | null;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** How many probes in a row decide: successes for readiness, failures for a worker that is not alive. */
  readonly threshold: number;
};

/**
 * How a worker proves that it can serve. `notify`: READY=1 on a notify socket. `ack`: on the control socket. `delay`:
 * by being alive after `afterMs`. `probe`: by passing a check.
 */
export type Readiness =
  | { readonly kind: "notify" }
  | { readonly kind: "ack" }
  | { readonly kind: "delay"; readonly afterMs: number }
  | ({ readonly kind: "probe" } & Probe);

/**
 * How a ready worker shows that it is alive. `probe`: by passing a check. `watchdog`: by WATCHDOG=1 at least every
 * `periodMs`.
 */
export type Liveness = ({ readonly kind: "probe" } & Probe) | { readonly kind: "watchdog"; readonly periodMs: number };

/** One step of a stop: send `signal` when `afterMs` have passed since the stop began. */
export type StopStep = { readonly signal: string; readonly afterMs: number };

/** `group`: the last stop step goes to the process group, and the rest of the group is ended with the worker. */
export type KillMode = "group" | "process";

export type Spec = {
  readonly command: readonly string[];
  /** As given, but absolute; "" for crank's own directory. */
  readonly cwd: string;
  /** Where a relative command is looked for; missing: where crank was started. */
  readonly callerCwd?: string;
  /** Missing: to be resolved when it is deployed. Specs of earlier cranks do not have it: they ran what was given. */
  readonly resolved?: Resolved;
  /** Changes to the environment that crank was started with; null removes a variable. */
  readonly env: Readonly<Record<string, string | null>>;
  readonly user: Identity | null;
  readonly umask: number | null;
  /** true: neither it nor what it starts can gain privileges by executing a program. Missing: false. */
  readonly noNewPrivs?: boolean;
  readonly limits: readonly Limit[];

  readonly instances: number;
  readonly surge: number;
  readonly unavailable: number;
  readonly readiness: Readiness;
  /** null: no check. */
  readonly liveness: Liveness | null;
  /** How long a worker must stay ready to count as available, ms. */
  readonly minReadyMs: number;
  /** From the start to readiness, ms; null: no limit. */
  readonly startTimeoutMs: number | null;
  /** Time limit of a drain, ms; null: no limit. The last of the default `stopSteps` is due then. */
  readonly stopTimeoutMs: number | null;
  /** Ordered by `afterMs`; the first has 0. */
  readonly stopSteps: readonly StopStep[];
  readonly killMode: KillMode;
  /**
   * Workers hand over what they have to their successors: a worker starts only when its predecessor is gone (`surge` is
   * 0).
   */
  readonly handOver: boolean;
  /** How many descriptors the service's workers may store for later workers. */
  readonly fdStore: number;
  /** true: a worker may be ready without holding all of the service's sockets. Missing: false. */
  readonly socketsOptional?: boolean;
  /** How many more attempts follow when a worker failed before it was available. */
  readonly retries: number;
  /** Time limit of the whole rollout, ms; null: no limit. */
  readonly rolloutDeadlineMs: number | null;
} & Pacing;

/**
 * Where directory and program led, links followed, when the spec was deployed: workers start there even if a link
 * changes later. `name`: the name under which a program that is itself a link is called, where the given path may lead
 * elsewhere by now. Some programs find their files by that name, as Python finds a virtual environment.
 */
export type Resolved = { readonly cwd: string; readonly file: string; readonly name?: string };

/** How slowly workers are replaced, and when serving workers are replaced. */
export type Pacing = {
  /** From the end of a replacement to the beginning of the next, ms. */
  readonly pauseMs: number;
  /** How many workers of all generations may drain at once; null: no limit. */
  readonly maxDraining: number | null;
  /** Age limit of a worker, from its start, ms: an older one is replaced; null: no limit. */
  readonly maxAgeMs: number | null;
  /** Memory limit of a worker's process tree, bytes: a larger one is replaced; null: no limit. */
  readonly maxMemory: number | null;
  /** From one measurement of memory to the next, ms. */
  readonly memoryIntervalMs: number;
};

/** A spec whose rollout was complete. `at` is wall clock, ms. */
export type GoodSpec = { readonly generation: number; readonly at: number; readonly spec: Spec };

/** How many good specs the record keeps. */
export const HISTORY_LENGTH = 10;

/**
 * Whether two specs are equal. Equal ones are mostly the same object, and different ones mostly differ in the command.
 */
export const isSameSpec = (a: Spec, b: Spec): boolean =>
  a === b || (isSame(a.command, b.command) && (isSame(a, b) || isSameAsKnown(a, b)));

/** `spec`, or `other` if it is equal: then a later comparison is one of identity. */
export const sharedSpec = (spec: Spec, other: Spec | undefined): Spec => {
  if (!other || (other.resolved === undefined) !== (spec.resolved === undefined)) return spec;
  return isSame(other.command, spec.command) && isSame(other, spec) ? other : spec;
};

const isSameAsKnown = (a: Spec, b: Spec): boolean => {
  const left = known(a, b);
  const right = known(b, a);
  return (left !== a || right !== b) && isSame(left, right);
};

/** The part of a spec that can be compared with one of an earlier crank, which ran what was given. */
const known = (spec: Spec, other: Spec): Spec =>
  !other.resolved && spec.resolved?.cwd === spec.cwd ? asGiven(spec) : spec;

/** The same spec, to be resolved again. */
export const asGiven = ({ resolved: _, ...given }: Spec): Spec => given;

/** Whether two JSON values are equal; the order of an object's keys does not matter. */
const isSame = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  // Compared as lists of entries, or as texts, they take this engine more than twice as long.
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  let more = 0;
  for (const key in left) {
    const value = left[key];
    // JSON has no undefined.
    if (value === undefined) continue;
    if (value !== right[key] && !(Object.hasOwn(right, key) && isSame(value, right[key]))) return false;
    more += 1;
  }
  for (const key in right) if (right[key] !== undefined) more -= 1;
  return more === 0;
};
