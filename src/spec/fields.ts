// The settings of a deploy, one row for each, which is why the file is long. The flags of crankctl run and their help, the parameters of `run` with
// their schemas and their reference, the record, the defaults and what is kept from the last deploy follow from here.
// How to add a row is in CONTRIBUTING.md. What a value means is up to src/core and src/supervisor/control/specs.ts.
import type { Spec } from "../core/model/spec.ts";
import { BOUNDS } from "./bounds.ts";
import type { Kind, ValueOf } from "./kinds.ts";

/**
 * Checks of meaning, each a function of this name in src/supervisor/control/specs.ts: for values that depend on others
 * or on the system.
 */
export type Meaning =
  | "directory"
  | "environment"
  | "limits"
  | "liveness"
  | "overlap"
  | "readiness"
  | "stopping"
  | "user";

type Row = {
  /** The parameter of the control protocol. The unit is that of the kind: ms, bytes. */
  readonly parameter: string;
  /**
   * The key in the core's spec, in the journal and in the record, with the same value. Missing: the value becomes a
   * part of another key, by `meaning`.
   */
  readonly key?: keyof Spec;
  /** What makes the spec's value of it. Missing: it is taken as given, and kept from the last deploy if it is not. */
  readonly meaning?: Meaning;
  /** A switch that the spec has only while it is on. */
  readonly sparse?: true;
  /** The reference's words for a first deploy's value that depends on crank. */
  readonly initially?: string;
  /** The heading in -help. */
  readonly group?: string;
  /** One line for -help, without the default, which follows in parentheses. */
  readonly help: string;
  /** Sentences for the reference of the control protocol. */
  readonly about: string;
  /** The heading in crank's -help, if a flag of crank sets the value for first deploys. */
  readonly ofCrank?: string;
};

type Values<V> = {
  /** What it is in a journal or record that was written before there was this key. */
  readonly before?: V;
  /** Its value at a first deploy; missing for maps, and where `initially` says it. */
  readonly initial?: V;
};

type RowOf<K> = K extends Kind ? Row & K & Values<ValueOf<K> | null> : never;

/** A row of the table. */
export type SpecField = RowOf<Kind>;

const PROBE_TIME = { kind: "duration", least: 1, most: BOUNDS.probeMs } as const;
const PROBE_COUNT = { kind: "count", least: 1, most: BOUNDS.probeThreshold } as const;
const PROBE_ADDRESS = { kind: "text", mostBytes: BOUNDS.pathBytes, argument: "ADDR" } as const;

/** By flag, in the order of -help. */
export const SPEC_FIELDS = {
  cwd: {
    kind: "directory",
    parameter: "cwd",
    meaning: "directory",
    initially: "`callerCwd`, else the directory of crank",
    help: "working directory of the workers; with a COMMAND, the one in which crankctl is called",
    about: "The directory of the workers.",
  },
  start: {
    kind: "duration",
    none: "kept",
    parameter: "startTimeout",
    key: "startTimeoutMs",
    initial: 30_000,
    help: "how long a worker may take to become ready",
    about: "From the start of a worker until it must be ready.",
  },
  stop: {
    kind: "duration",
    none: "kept",
    parameter: "stopTimeout",
    key: "stopTimeoutMs",
    meaning: "stopping",
    initial: 30_000,
    help: "how long a worker may take to stop before it is killed",
    about: "From the stop signal until SIGKILL.",
  },

  instances: {
    kind: "count",
    least: 1,
    most: BOUNDS.instances,
    parameter: "instances",
    key: "instances",
    initial: 1,
    group: "Rollout",
    help: "how many workers",
    about: "How many workers to run.",
  },
  surge: {
    kind: "count",
    least: 0,
    most: BOUNDS.instances,
    parameter: "surge",
    key: "surge",
    meaning: "overlap",
    initial: 1,
    group: "Rollout",
    help: "how many more workers may run during a rollout",
    about: "How many workers above `instances` a rollout may run.",
  },
  unavailable: {
    kind: "count",
    least: 0,
    most: BOUNDS.instances,
    parameter: "unavailable",
    key: "unavailable",
    meaning: "overlap",
    initial: 0,
    group: "Rollout",
    help: "how many fewer workers may be available during a rollout",
    about: "How many available workers below `instances` a rollout may leave.",
  },
  "min-ready": {
    kind: "duration",
    parameter: "minReady",
    key: "minReadyMs",
    initial: 0,
    group: "Rollout",
    help: "how long a worker must stay ready before it counts as available",
    about: "How long a worker must stay ready before it counts as available.",
  },
  "hand-over": {
    kind: "switch",
    parameter: "handOver",
    key: "handOver",
    meaning: "overlap",
    before: false,
    initial: false,
    group: "Rollout",
    help: "workers hand over their connections: start each successor when the old worker has exited (-surge 0)",
    about: "A worker leaves its descriptors to its successor, which starts when the worker has exited.",
  },
  "fd-store": {
    kind: "count",
    least: 0,
    most: BOUNDS.fdStore,
    parameter: "fdStore",
    key: "fdStore",
    before: 512,
    initial: 512,
    group: "Rollout",
    help: "how many descriptors workers may store",
    about: "How many descriptors workers may store.",
  },
  "sockets-optional": {
    kind: "switch",
    parameter: "socketsOptional",
    key: "socketsOptional",
    sparse: true,
    initial: false,
    group: "Rollout",
    help: "a worker may be ready without holding all of the sockets",
    about: "A worker may be ready without holding all of the sockets.",
    ofCrank: "Workers",
  },
  retries: {
    kind: "count",
    least: 0,
    most: BOUNDS.retries,
    parameter: "retries",
    key: "retries",
    initial: 0,
    group: "Rollout",
    help: "how many more attempts follow when a worker fails before it is available",
    about: "How many more attempts follow when a worker fails before it is available.",
  },
  deadline: {
    kind: "duration",
    none: "unlimited",
    parameter: "deadline",
    key: "rolloutDeadlineMs",
    initial: null,
    group: "Rollout",
    help: "roll back when the rollout takes longer than this",
    about: "Limit for the whole rollout.",
  },
  pause: {
    kind: "duration",
    parameter: "pause",
    key: "pauseMs",
    before: 0,
    initial: 0,
    group: "Rollout",
    help: "pause between two replacements",
    about: "Pause between two replacements.",
  },
  draining: {
    kind: "count",
    least: 1,
    most: BOUNDS.instances,
    none: "unlimited",
    parameter: "draining",
    key: "maxDraining",
    before: null,
    initial: null,
    group: "Rollout",
    help: "how many workers of all generations may drain at once; a rollout waits",
    about: "How many workers of all generations may drain at once.",
  },

  "max-age": {
    kind: "duration",
    least: 1000,
    none: "unlimited",
    because: "workers would be replaced continuously",
    parameter: "maxAge",
    key: "maxAgeMs",
    before: null,
    initial: null,
    group: "Recycling",
    help: "replace workers that are older, one at a time",
    about: "Replace workers that are older.",
  },
  "max-memory": {
    kind: "size",
    most: BOUNDS.memoryBytes,
    none: "unlimited",
    parameter: "maxMemory",
    key: "maxMemory",
    before: null,
    initial: null,
    group: "Recycling",
    help: "replace workers whose process tree uses more memory, one at a time",
    about: "Replace workers whose process tree uses more memory than this, in bytes.",
  },
  "memory-interval": {
    kind: "duration",
    least: 1000,
    parameter: "memoryInterval",
    key: "memoryIntervalMs",
    before: 60_000,
    initial: 60_000,
    group: "Recycling",
    help: "how often to check the memory",
    about: "How often memory is checked.",
  },

  ready: {
    kind: "readiness",
    parameter: "ready",
    meaning: "readiness",
    initial: { kind: "notify" },
    group: "Readiness",
    help: "how a worker shows that it is ready: notify, ack, delay:SEC, tcp, http:PATH or exec:COMMAND",
    about:
      "How a worker shows that it is ready. `delay`: it still runs after `after` ms. `http`: GET `path` is answered with 2xx. `exec`: `command` exits with 0.",
  },
  "probe-interval": {
    ...PROBE_TIME,
    parameter: "probeInterval",
    meaning: "readiness",
    initial: 250,
    group: "Readiness",
    help: "time between two probes of tcp, http or exec",
    about: "Time between two readiness probes.",
  },
  "probe-timeout": {
    ...PROBE_TIME,
    parameter: "probeTimeout",
    meaning: "readiness",
    initial: 2000,
    group: "Readiness",
    help: "limit for each probe",
    about: "Limit for one readiness probe.",
  },
  "probe-threshold": {
    ...PROBE_COUNT,
    parameter: "probeThreshold",
    meaning: "readiness",
    initial: 1,
    group: "Readiness",
    help: "how many probes must succeed in a row",
    about: "How many readiness probes must succeed in a row.",
  },
  "probe-addr": {
    ...PROBE_ADDRESS,
    parameter: "probeAddress",
    meaning: "readiness",
    initial: "",
    group: "Readiness",
    help: "address to probe instead of the first socket, with {index}, {worker}, {pid} and {generation}; empty: the socket",
    about: 'The address that readiness probes ask; "" for the shared socket.',
  },

  live: {
    kind: "liveness",
    parameter: "live",
    meaning: "liveness",
    initial: { kind: "off" },
    group: "Liveness",
    help: "how a ready worker shows that it is alive; otherwise it is replaced: http:PATH, exec:COMMAND, tcp, watchdog:SEC (it sends WATCHDOG=1 at least this often) or off",
    about: "How a ready worker shows that it is alive. `watchdog`: it sends WATCHDOG=1 at least every `period` ms.",
  },
  "live-interval": {
    ...PROBE_TIME,
    parameter: "liveInterval",
    meaning: "liveness",
    initial: 10_000,
    group: "Liveness",
    help: "time between two probes of http, exec or tcp",
    about: "Time between two liveness probes.",
  },
  "live-timeout": {
    ...PROBE_TIME,
    parameter: "liveTimeout",
    meaning: "liveness",
    initial: 5000,
    group: "Liveness",
    help: "limit for each probe",
    about: "Limit for one liveness probe.",
  },
  "live-threshold": {
    ...PROBE_COUNT,
    parameter: "liveThreshold",
    meaning: "liveness",
    initial: 3,
    group: "Liveness",
    help: "how many probes must fail in a row",
    about: "How many liveness probes must fail in a row.",
  },
  "live-addr": {
    ...PROBE_ADDRESS,
    parameter: "liveAddress",
    meaning: "liveness",
    initial: "",
    group: "Liveness",
    help: "address to probe instead of the first socket, as -probe-addr",
    about: 'The address that liveness probes ask; "" for the shared socket.',
  },

  "stop-signal": {
    kind: "signal",
    parameter: "stopSignal",
    meaning: "stopping",
    initial: "SIGTERM",
    group: "Stopping",
    help: "the signal that asks a worker to stop; SIGKILL follows after -stop",
    about: "The first signal of a stop, with or without SIG.",
  },
  "stop-steps": {
    kind: "stopSteps",
    parameter: "stopSteps",
    meaning: "stopping",
    initially: "`stopSignal`, and SIGKILL after `stopTimeout`",
    group: "Stopping",
    help: "several signals, each with its seconds since the stop began: SIGUSR2,SIGTERM@3,SIGKILL@6",
    about: "Signals, each with the time since the stop began. The first has 0.",
  },
  "kill-mode": {
    kind: "choice",
    choices: ["group", "process"],
    argument: "MODE",
    parameter: "killMode",
    key: "killMode",
    initial: "group",
    group: "Stopping",
    help: "what the last stop step ends: the worker's whole process tree (group), or its main process first (process)",
    about: "`group`: the last stop step goes to the whole process group. `process`: to the main process only.",
  },

  env: {
    kind: "environment",
    parameter: "env",
    meaning: "environment",
    initially: "no changes to crank's environment",
    group: "Process",
    help: "set an environment variable, in addition to those of crank",
    about:
      "Changes to the environment; null unsets a variable. At most 1000 names, at most 131071 bytes for a name with its value.",
  },
  "unset-env": {
    kind: "unset",
    parameter: "env",
    meaning: "environment",
    group: "Process",
    help: "unset an environment variable",
    about: "",
  },
  user: {
    kind: "word",
    mostBytes: 256,
    argument: "USER",
    parameter: "user",
    meaning: "user",
    initially: "crank's user",
    group: "Process",
    help: "run as this user, with all of its groups, or as UID:GID",
    about: "A user name, or UID:GID.",
  },
  umask: {
    kind: "octal",
    most: 0o777,
    parameter: "umask",
    key: "umask",
    initial: null,
    initially: "crank's umask",
    group: "Process",
    help: "file creation mask, octal, as in 027",
    about: "The workers' file mode creation mask.",
  },
  "no-new-privs": {
    kind: "switch",
    parameter: "noNewPrivs",
    key: "noNewPrivs",
    sparse: true,
    initial: false,
    group: "Process",
    help: "workers and their descendants gain no privileges by executing a program such as sudo",
    about: "Workers cannot gain privileges by executing a program.",
  },
  limit: {
    kind: "limits",
    parameter: "limits",
    meaning: "limits",
    initially: "crank's limits",
    group: "Process",
    help: "resource limit by its name without RLIMIT_, as in nofile=65536 or core=unlimited",
    about: "Resource limits by name, in lower case without RLIMIT_; null is no limit. At most 16.",
  },
} as const satisfies Readonly<Record<string, SpecField>>;

type Table = typeof SPEC_FIELDS;
/** A flag that sets a field. */
export type SpecFlag = keyof Table;

/** The rows with their flags. */
// The keys of a constant object are known; Object.entries forgets them.
export const SPEC_ROWS = Object.entries(SPEC_FIELDS) as readonly (readonly [SpecFlag, SpecField])[];

/** The parameters of `run` that are fields of a spec. */
export type SpecParams = { readonly [F in SpecFlag as Table[F]["parameter"]]?: ValueOf<Table[F]> };

type Keyed = {
  readonly [F in SpecFlag as Table[F] extends { key: infer K extends keyof Spec } ? K : never]: ValueOf<Table[F]>;
};
/** The keys of a spec that have a row of their own. */
export type SpecKey = keyof Keyed;
/** Those that a spec has only while they are on. */
export type SparseKey = { [F in SpecFlag]: Table[F] extends { sparse: true; key: infer K } ? K : never }[SpecFlag];
/** Their values, which the compiler holds against the core's. */
export type KeyedSpec = Fits<Keyed, { readonly [K in SpecKey]-?: Spec[K] }>;
type Fits<T extends U, U> = T extends U ? U : never;
