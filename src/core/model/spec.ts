// A spec: what to run and how. Plain JSON, complete (every default filled in), as the record and the journal hold it.

/** A user to run as, looked up before it gets here: numbers, and the name it was asked for by. */
export type Identity = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Its directory and its shell, for its environment; missing where the environment is to stay crank's. */
  readonly home?: string;
  readonly shell?: string;
};

/** A resource limit, by its name without RLIMIT_, lower case (`nofile`). null is no limit. */
export type Limit = { readonly name: string; readonly soft: number | null; readonly hard: number | null };

/** What is asked of a worker from outside. `http`: its answer to GET `path` has the status 2xx. `exec`: the command's exit status is 0. */
export type Check =
  | { readonly kind: "tcp" }
  | { readonly kind: "http"; readonly path: string }
  | { readonly kind: "exec"; readonly command: readonly string[] };

/** How a worker is asked, again and again. */
export type Probe = {
  readonly check: Check;
  /** Where, with {pid}, {worker}, {index} and {generation} to be filled in; null: at the first socket, if this worker accepts. */
  readonly address: string | null;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** So many have to go well in a row; or, to find that it is not alive, have to fail. */
  readonly threshold: number;
};

/** How a worker proves that it can serve. `notify`: READY=1 on a notify socket. `ack`: on the control socket. `delay`: by being alive after `afterMs`. `probe`: by passing a check. */
export type Readiness =
  | { readonly kind: "notify" }
  | { readonly kind: "ack" }
  | { readonly kind: "delay"; readonly afterMs: number }
  | ({ readonly kind: "probe" } & Probe);

/** How a ready worker shows that it is alive. `probe`: by passing a check. `watchdog`: by saying WATCHDOG=1 at least every `periodMs`. */
export type Liveness = ({ readonly kind: "probe" } & Probe) | { readonly kind: "watchdog"; readonly periodMs: number };

/** One step of a stop: send `signal` when `afterMs` have passed since the stop began. */
export type StopStep = { readonly signal: string; readonly afterMs: number };

/** `group`: the last stop step goes to the process group, and what is left of it is ended with the worker. */
export type KillMode = "group" | "process";

export type Spec = {
  readonly command: readonly string[];
  /** As given, but absolute; "" for where crank itself is. */
  readonly cwd: string;
  /** Where the command's file is looked for if it is relative; missing: where crank itself was started. */
  readonly callerCwd?: string;
  /** Missing: it is to be resolved when it is deployed. An earlier crank wrote none: there it is what was given. */
  readonly resolved?: Resolved;
  /** Changes to the environment that crank was started with; null takes a name out. */
  readonly env: Readonly<Record<string, string | null>>;
  readonly user: Identity | null;
  readonly umask: number | null;
  /** Whether it, and what it starts, can gain rights by executing a program; missing: yes. */
  readonly noNewPrivs?: boolean;
  readonly limits: readonly Limit[];

  readonly instances: number;
  readonly surge: number;
  readonly unavailable: number;
  readonly readiness: Readiness;
  /** null: nobody asks. */
  readonly liveness: Liveness | null;
  /** How long a worker has to stay ready before it counts as available, ms. */
  readonly minReadyMs: number;
  /** From the start to readiness, ms; null is no limit. */
  readonly startTimeoutMs: number | null;
  /** The drain's budget, ms; null is no limit. The last of `stopSteps` is due then if they are the default. */
  readonly stopTimeoutMs: number | null;
  /** In order of `afterMs`; the first has 0. */
  readonly stopSteps: readonly StopStep[];
  readonly killMode: KillMode;
  /** Workers hand over what they have to their successors: nobody is started before who is replaced is gone (`surge` is 0). */
  readonly handOver: boolean;
  /** How many descriptors the service's workers may leave for later ones. */
  readonly fdStore: number;
  /** A worker may be ready without holding all of the service's sockets; missing: it may not. */
  readonly socketsOptional?: true;
  /** How many more attempts after a worker failed before it was available. */
  readonly retries: number;
  /** For the whole rollout, ms; null is no limit. */
  readonly rolloutDeadlineMs: number | null;
} & Pacing;

/**
 * What directory and program led to, through every link, when the spec was deployed: its workers are started there, whatever
 * the links lead to by then. `name`: what a program that is itself a link is called as, where the path that was given may
 * lead elsewhere: by its place it may find what belongs to it (as Python finds a virtual environment).
 */
export type Resolved = { readonly cwd: string; readonly file: string; readonly name?: string };

/** How slowly workers are replaced, and which of those that serve are replaced all the same. */
export type Pacing = {
  /** From the end of one replacement to the beginning of the next, ms. */
  readonly pauseMs: number;
  /** How many workers may drain at once, of all generations; null is no limit. */
  readonly maxDraining: number | null;
  /** From its start on, ms: an older worker is replaced; null is no limit. */
  readonly maxAgeMs: number | null;
  /** Of a worker's process tree, bytes: a larger one is replaced; null is no limit. */
  readonly maxMemory: number | null;
  /** Between two looks at the memory, ms. */
  readonly memoryIntervalMs: number;
};

/** At once, and only when somebody asks. */
export const UNPACED: Pacing = {
  pauseMs: 0,
  maxDraining: null,
  maxAgeMs: null,
  maxMemory: null,
  memoryIntervalMs: 60_000,
};

/** What a spec says of which a front end has no opinion: no user, no limits, no liveness, one attempt, and all at once. */
const NOTHING_ASKED = {
  command: [],
  cwd: "",
  env: {},
  user: null,
  umask: null,
  limits: [],
  liveness: null,
  minReadyMs: 0,
  retries: 0,
  rolloutDeadlineMs: null,
  ...UNPACED,
} as const satisfies Partial<Spec>;

/** The part of a spec that a front end decides when the user says nothing. */
export type SpecDefaults = Omit<Spec, keyof typeof NOTHING_ASKED | "callerCwd" | "resolved" | "noNewPrivs">;

/** A spec of no command that asks for nothing but these defaults. */
export const emptySpec = (defaults: SpecDefaults): Spec => ({ ...defaults, ...NOTHING_ASKED });

/** A spec that was good: its rollout completed. `at` is wall clock, ms. */
export type GoodSpec = { readonly generation: number; readonly at: number; readonly spec: Spec };

/** How many good specs the record keeps. */
export const HISTORY_LENGTH = 10;

/** Whether two specs say the same. Most that do are one and the same object, and most that do not differ in the command. */
export const isSameSpec = (a: Spec, b: Spec): boolean =>
  a === b || (isSame(a.command, b.command) && (isSame(a, b) || isSameAsKnown(a, b)));

/** `spec`, or `other` if that is equal to it: what is one object is compared at once. */
export const sharedSpec = (spec: Spec, other: Spec | undefined): Spec => {
  if (!other || (other.resolved === undefined) !== (spec.resolved === undefined)) return spec;
  return isSame(other.command, spec.command) && isSame(other, spec) ? other : spec;
};

const isSameAsKnown = (a: Spec, b: Spec): boolean => {
  const left = known(a, b);
  const right = known(b, a);
  return (left !== a || right !== b) && isSame(left, right);
};

/** What of a spec can be compared with another that an earlier crank wrote: there, what was given is where it ran. */
const known = (spec: Spec, other: Spec): Spec =>
  !other.resolved && spec.resolved?.cwd === spec.cwd ? asGiven(spec) : spec;

/** The same, to be resolved once more. */
export const asGiven = ({ resolved: _, ...given }: Spec): Spec => given;

/** Whether two JSON values are the same; the order of an object's keys says nothing. */
const isSame = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  // As lists of entries, or as texts, they take this engine more than twice as long.
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  let more = 0;
  for (const key in left) {
    const value = left[key];
    // JSON has no such member.
    if (value === undefined) continue;
    if (value !== right[key] && !(Object.hasOwn(right, key) && isSame(value, right[key]))) return false;
    more += 1;
  }
  for (const key in right) if (right[key] !== undefined) more -= 1;
  return more === 0;
};
