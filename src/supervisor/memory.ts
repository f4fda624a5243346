// All that the supervisor knows, and which journal key holds which part of it. Written whenever it changes, read at
// every hello: a supervisor that starts is in no other position than one that went on.

import type { RpcId } from "../control/jsonrpc.ts";
import type { Selector } from "../control/messages.ts";
import type { GoodSpec } from "../core/spec.ts";
import type { Generation, State, Worker } from "../core/state.ts";
import { initialState } from "../core/state.ts";
import type { KeeperFacts } from "./facts.ts";
import type { FrontEnd } from "./front-end.ts";
import { Measurements } from "./measurements.ts";
import { NoteLog } from "./notes.ts";
import { Outbox } from "./outbox.ts";
import type { Platform } from "./platform.ts";
import { NO_SERVICE_MANAGER, type ServiceManager } from "./service-manager.ts";
import type { Settings } from "./settings.ts";
import { type DescriptorStore, EMPTY_STORE, type StoredDescriptor } from "./stored-descriptors.ts";

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
};

/** A listening socket as the keeper opened it. `bind` is the index in `settings.binds`, null for the control socket. */
export type OpenSocket = {
  readonly handle: number;
  readonly bind: number | null;
  readonly domain: number;
  readonly type: number;
  /** With the port filled in. */
  readonly address: string;
};

/** In the place of a connection: whoever asked is gone, or wants no answer. */
export const NOBODY = 0;

/** A control request that has not been answered. */
export type Pending = { readonly connection: number; readonly rpc: RpcId } & (
  | {
      readonly kind: "rollout";
      readonly clientId: string | null;
      /** Answered when the rollout has ended; else as soon as its first worker is started. */
      readonly wait: boolean;
      /** How it has ended, as JSON, while what leads there has still to be told; null before. */
      readonly said: string | null;
      readonly generation: number;
    }
  | { readonly kind: "scale" }
  | { readonly kind: "shutdown" }
  /** `kill`: until the keeper has sent the signals. `refused`: why it could not send one. */
  | {
      readonly kind: "signals";
      readonly workers: readonly number[];
      readonly pids: readonly number[];
      readonly wait: boolean;
      readonly refused: string | null;
    }
  /** `kill -wait`: until these workers are gone. */
  | { readonly kind: "gone"; readonly workers: readonly number[]; readonly pids: readonly number[] }
  /** `ps`: until the workers are measured. */
  | { readonly kind: "ps"; readonly selector: Selector }
  /** `status`: until the keeper has said how full these sockets' queues are, and until the workers are measured if that is wanted. */
  | {
      readonly kind: "status";
      readonly isMeasuring: boolean;
      readonly waiting: readonly number[];
      readonly queues: Readonly<Record<number, { readonly queue: number; readonly limit: number }>>;
    }
  /** `upgrade -wait`: until the upgrade with this number has come to its end. */
  | { readonly kind: "upgrade"; readonly upgrade: number }
);

/** Where a crank is installed: its keeper's program `file`, and what its supervisors are started from. */
export type InstalledProgram = {
  readonly file: string;
  readonly runtime: string;
  readonly bundle: string;
  /** Whether the keeper's program is another one than the one that runs. */
  readonly isNewKeeper: boolean;
};

/** What a new program answers to the check: its version, which protocol it speaks with its keeper, and where it is. */
export type UpgradeAnswer = {
  readonly version: string;
  readonly protocol: number;
  readonly home: string;
  readonly runtime: string;
};

/** An upgrade that is under way: which stage it is in, and what it goes to. */
export type Upgrade = {
  readonly number: number;
  /** `checking`: the new program is asked; `rehearsing`: its keeper shows that it can take over; `replacing`: the new supervisor starts beside this one; `executing`: the keeper executes itself anew. */
  readonly stage: "checking" | "rehearsing" | "replacing" | "executing";
  /** By which the new program was found, or is to be. */
  readonly path: string;
  readonly exec: string | null;
  /** Where that led to, until the check says where it really is. */
  readonly program: InstalledProgram;
  /** The version that is upgraded from. */
  readonly from: string;
  /** What the check said. */
  readonly answer: UpgradeAnswer | null;
  /** When the time for the check is over (CLOCK_MONOTONIC ms); null: never, or it is. */
  readonly checkedBy: number | null;
  readonly isLate: boolean;
  /** How often the keeper had executed itself before. */
  readonly executions: number;
  /** One more was asked for meanwhile, to what `exec` leads to. */
  readonly again: { readonly exec: string | null } | null;
};

/** A finished deploy whose client may ask again by its id. */
export type Finished = { readonly clientId: string; readonly reply: string };
const FINISHED_KEPT = 16;

/** Where a descriptor can be had: it is number `fd` of the living process `pid` that began at `startTime`. */
export type Holder = { readonly pid: number; readonly startTime: number; readonly fd: number; readonly worker: number };

/** A listening socket of the crank that was killed, and who holds it; `fails` is why others could not be asked. */
export type LeftSocket = {
  readonly handle: number;
  readonly uri: string;
  /** Where it listens, with the port filled in. */
  readonly address: string;
  readonly holders: readonly Holder[];
  readonly taken: Holder | null;
  readonly fails: readonly string[];
};

/** A worker that lives: how it is taken charge of. `output`: its descriptor of its pipe, null for none. */
export type LeftWorker = {
  readonly id: number;
  readonly pid: number;
  readonly startTime: number;
  readonly output: number | null;
  /** What of it cannot be had back, as sentences behind its name. */
  readonly losses: readonly string[];
};

/** What a killed crank left and this one takes over, from the look at it until it is done. */
export type Adoption = {
  /** The keeper that was killed. */
  readonly pid: number;
  readonly sockets: readonly LeftSocket[];
  readonly workers: readonly LeftWorker[];
  readonly lost: readonly { readonly id: number; readonly reason: string }[];
};

export type Counters = {
  readonly requests: number;
  readonly supervisorDeaths: number;
  readonly upgradesBegun: number;
  readonly upgrades: number;
};

/** The supervisor's whole memory. `core` and the maps are replaced or changed only through the functions below. */
export type Memory = {
  readonly platform: Platform;
  /** The program that crank was called as. */
  readonly frontEnd: FrontEnd;
  readonly facts: KeeperFacts;
  readonly outbox: Outbox;
  readonly notes: NoteLog;
  readonly measurements: Measurements;
  settings: Settings | null;
  boot: Boot;
  core: State;
  counters: Counters;
  serviceManager: ServiceManager;
  /** While it is under way. */
  adoption: Adoption | null;
  readonly sockets: Map<number, OpenSocket>;
  /** What workers left for later ones, by handle. */
  readonly stored: Map<number, StoredDescriptor>;
  store: DescriptorStore;
  /** The service's sockets that crank has closed for its end, while their connections are still being served. */
  closed: readonly OpenSocket[];
  readonly pending: Map<number, Pending>;
  readonly finished: Finished[];
  /** Workers and probes of the core, by the keeper's numbers, whose starts it has not been told of yet, in their order. */
  unstarted: readonly number[];
  /** Connections that follow `events`. */
  readonly followers: Set<number>;
  /** Connections over tcp that have shown the secret. */
  readonly authenticated: Set<number>;
  /** While it is under way. */
  upgrade: Upgrade | null;
  /** What the last upgrade by `-exec` was to; null: crank is found where it was started. */
  program: string | null;
  /** Of the journal's values. */
  format: number;
  /** The front end's own (own.ts); null: nothing yet. */
  own: unknown;
};

const EMPTY_CORE = initialState({ respawn: null, history: [] });

/** Rebuilds the memory from the journal's entries. Values are our own, written by `remember*`; the version is checked before. */
export const recall = (
  { platform, frontEnd, facts }: Pick<Memory, "platform" | "frontEnd" | "facts">,
  entries: ReadonlyMap<string, Uint8Array>,
): Memory => {
  const memory: Memory = {
    platform,
    frontEnd,
    facts,
    outbox: new Outbox(),
    notes: new NoteLog(),
    measurements: new Measurements(),
    settings: null,
    boot: { stage: "fresh", barrier: 0, failure: null, isUnwanted: false },
    core: EMPTY_CORE,
    counters: { requests: 0, supervisorDeaths: 0, upgradesBegun: 0, upgrades: 0 },
    serviceManager: NO_SERVICE_MANAGER,
    adoption: null,
    sockets: new Map(),
    stored: new Map(),
    store: EMPTY_STORE,
    closed: [],
    pending: new Map(),
    finished: [],
    unstarted: [],
    followers: new Set(),
    authenticated: new Set(),
    upgrade: null,
    program: null,
    format: FIRST_FORMAT,
    own: null,
  };
  restoreEntries(memory, entries);
  return memory;
};

/** Puts back what journal entries hold. */
export const restoreEntries = (memory: Memory, entries: Iterable<readonly [string, Uint8Array]>): void => {
  const generations: Record<number, Generation> = {};
  const workers: Record<number, Worker> = {};
  for (const [key, bytes] of entries) {
    const slash = key.indexOf("/");
    const name = slash < 0 ? "" : key.slice(slash + 1);
    const restore = RESTORE[slash < 0 ? key : key.slice(0, slash)];
    restore?.(memory, name, bytes, generations, workers);
  }
  memory.core = { ...memory.core, generations, workers };
};

/** What a journal key holds goes back where it came from; `name` is what stands behind the slash, "" without one. */
type Restore = (
  memory: Memory,
  name: string,
  bytes: Uint8Array,
  generations: Record<number, Generation>,
  workers: Record<number, Worker>,
) => void;

const decoder = new TextDecoder();
// The journal is private to crank and checksummed, and its version was compared: what comes out is what `put` took.
// biome-ignore lint/suspicious/noExplicitAny: the one place where bytes become typed values again
const parse = (bytes: Uint8Array): any => JSON.parse(decoder.decode(bytes));

const RESTORE: Readonly<Record<string, Restore>> = {
  settings: (memory, _name, bytes) => {
    memory.settings = parse(bytes);
  },
  boot: (memory, _name, bytes) => {
    memory.boot = parse(bytes);
  },
  service: (memory, _name, bytes) => {
    // An earlier version wrote down less.
    memory.core = { ...memory.core, service: { ...memory.core.service, ...parse(bytes) } };
  },
  history: (memory, _name, bytes) => {
    const history: GoodSpec[] = [...memory.core.history, parse(bytes)];
    memory.core = { ...memory.core, history: history.sort((a, b) => a.generation - b.generation) };
  },
  generation: (_memory, name, bytes, generations) => {
    generations[Number(name)] = parse(bytes);
  },
  worker: (_memory, name, bytes, _generations, workers) => {
    workers[Number(name)] = parse(bytes);
  },
  counters: (memory, _name, bytes) => {
    memory.counters = { ...memory.counters, ...parse(bytes) };
  },
  serviceManager: (memory, _name, bytes) => {
    memory.serviceManager = parse(bytes);
  },
  adoption: (memory, _name, bytes) => {
    memory.adoption = parse(bytes);
  },
  socket: (memory, name, bytes) => {
    memory.sockets.set(Number(name), parse(bytes));
  },
  stored: (memory, name, bytes) => {
    memory.stored.set(Number(name), parse(bytes));
  },
  store: (memory, _name, bytes) => {
    memory.store = parse(bytes);
  },
  closed: (memory, _name, bytes) => {
    memory.closed = parse(bytes);
  },
  measured: (memory, _name, bytes) => {
    memory.measurements.restore(parse(bytes));
  },
  usage: (memory, name, bytes) => {
    memory.measurements.restorePart(name, bytes);
  },
  pending: (memory, name, bytes) => {
    memory.pending.set(Number(name), parse(bytes));
  },
  finished: (memory, _name, bytes) => {
    memory.finished.push(...parse(bytes));
  },
  unstarted: (memory, _name, bytes) => {
    memory.unstarted = parse(bytes);
  },
  followers: (memory, _name, bytes) => {
    for (const connection of parse(bytes)) memory.followers.add(connection);
  },
  authenticated: (memory, _name, bytes) => {
    for (const connection of parse(bytes)) memory.authenticated.add(connection);
  },
  own: (memory, _name, bytes) => {
    memory.own = parse(bytes);
  },
  upgrade: (memory, _name, bytes) => {
    memory.upgrade = parse(bytes);
  },
  program: (memory, _name, bytes) => {
    memory.program = parse(bytes);
  },
  format: (memory, _name, bytes) => {
    memory.format = parse(bytes);
  },
  told: (memory, _name, bytes) => {
    memory.notes.restoreTold(parse(bytes));
  },
  notes: (memory, name, bytes) => {
    const [first, count] = name.split("+").map(Number);
    memory.notes.restore(first ?? 0, count ?? 0, bytes);
  },
};

/** Raised when what the journal's values are changes so that an older crank would read them wrongly. */
export const FORMAT = 2;
/** Before it was written down. */
const FIRST_FORMAT = 1;

/** Says in the journal how it is to be read, if it does not say so yet. */
export const rememberFormat = (memory: Memory): void => {
  if (memory.format === FORMAT) return;
  memory.format = FORMAT;
  memory.outbox.put("format", FORMAT);
};

/** Why entries cannot be understood; null if they can. It completes "the journal …". */
export const formatProblem = (entries: ReadonlyMap<string, Uint8Array>): string | null => {
  const written = entries.get("format");
  const format: unknown = written === undefined ? FIRST_FORMAT : parse(written);
  if (typeof format !== "number" || format > FORMAT)
    return `was written by a later version of crank (its values have format ${format}, this one knows ${FORMAT})`;
  const unknown = [...entries.keys()].find((key) => !Object.hasOwn(RESTORE, key.split("/")[0] ?? ""));
  return unknown === undefined ? null : `holds ${JSON.stringify(unknown)}, which this version of crank does not know`;
};

export const rememberSettings = (memory: Memory, settings: Settings): void => {
  memory.settings = settings;
  memory.outbox.put("settings", settings);
};

export const rememberBoot = (memory: Memory, boot: Boot): void => {
  memory.boot = boot;
  memory.outbox.put("boot", boot);
};

export const rememberAdoption = (memory: Memory, adoption: Adoption | null): void => {
  memory.adoption = adoption;
  if (adoption) memory.outbox.put("adoption", adoption);
  else memory.outbox.remove("adoption");
};

/** Takes the core's next state; only what has changed (by reference) is written. */
export const rememberCore = (memory: Memory, next: State): void => {
  const before = memory.core;
  if (before === next) return;
  memory.core = next;
  if (before.service !== next.service) memory.outbox.put("service", next.service);
  if (before.history !== next.history) rememberHistory(memory, before.history, next.history);
  if (before.generations !== next.generations)
    rememberRecords(memory, "generation", before.generations, next.generations);
  if (before.workers !== next.workers) rememberRecords(memory, "worker", before.workers, next.workers);
};

/** A key for each good spec: most of them are the same from deploy to deploy. */
const rememberHistory = (memory: Memory, before: readonly GoodSpec[], next: readonly GoodSpec[]): void => {
  for (const good of next) {
    if (!before.includes(good)) memory.outbox.put(`history/${good.generation}`, good);
  }
  for (const good of before) {
    if (!next.some((other) => other.generation === good.generation)) memory.outbox.remove(`history/${good.generation}`);
  }
};

const rememberRecords = <T>(
  memory: Memory,
  prefix: string,
  before: Readonly<Record<number, T>>,
  next: Readonly<Record<number, T>>,
): void => {
  for (const key in next) {
    if (next[key] !== before[key]) memory.outbox.put(`${prefix}/${key}`, next[key]);
  }
  for (const key in before) {
    if (!(key in next)) memory.outbox.remove(`${prefix}/${key}`);
  }
};

export const rememberSocket = (memory: Memory, socket: OpenSocket): void => {
  memory.sockets.set(socket.handle, socket);
  memory.outbox.put(`socket/${socket.handle}`, socket);
};

export const forgetSocket = (memory: Memory, handle: number): void => {
  memory.sockets.delete(handle);
  memory.outbox.remove(`socket/${handle}`);
};

/** Forgets a socket of the service that crank closes, but for where it was. */
export const closeSocket = (memory: Memory, socket: OpenSocket): void => {
  forgetSocket(memory, socket.handle);
  memory.closed = [...memory.closed, socket];
  memory.outbox.put("closed", memory.closed);
};

/** A number for a request that nobody had before. */
export const nextRequest = (memory: Memory): number => {
  const requests = memory.counters.requests + 1;
  memory.counters = { ...memory.counters, requests };
  memory.outbox.put("counters", memory.counters);
  return requests;
};

export const countDeath = (memory: Memory): void => {
  memory.counters = { ...memory.counters, supervisorDeaths: memory.counters.supervisorDeaths + 1 };
  memory.outbox.put("counters", memory.counters);
};

export const rememberPending = (memory: Memory, request: number, pending: Pending): void => {
  memory.pending.set(request, pending);
  memory.outbox.put(`pending/${request}`, pending);
};

export const forgetPending = (memory: Memory, request: number): void => {
  if (memory.pending.delete(request)) memory.outbox.remove(`pending/${request}`);
};

export const rememberFinished = (memory: Memory, finished: Finished): void => {
  memory.finished.push(finished);
  if (memory.finished.length > FINISHED_KEPT) memory.finished.shift();
  memory.outbox.put("finished", memory.finished);
};

export const rememberUnstarted = (memory: Memory, workers: readonly number[]): void => {
  memory.unstarted = workers;
  if (workers.length > 0) memory.outbox.put("unstarted", workers);
  else memory.outbox.remove("unstarted");
};

export const addFollower = (memory: Memory, connection: number): void => {
  memory.followers.add(connection);
  memory.outbox.put("followers", [...memory.followers]);
};

export const authenticate = (memory: Memory, connection: number): void => {
  memory.authenticated.add(connection);
  memory.outbox.put("authenticated", [...memory.authenticated]);
};

export const rememberUpgrade = (memory: Memory, upgrade: Upgrade | null): void => {
  memory.upgrade = upgrade;
  if (upgrade) memory.outbox.put("upgrade", upgrade);
  else memory.outbox.remove("upgrade");
};

export const beginUpgrade = (memory: Memory, upgrade: Upgrade): void => {
  memory.counters = { ...memory.counters, upgradesBegun: upgrade.number };
  memory.outbox.put("counters", memory.counters);
  rememberUpgrade(memory, upgrade);
};

/** An upgrade has come to its good end; `program` is what the next one is to, when nobody says otherwise. */
export const countUpgrade = (memory: Memory, program: string | null): void => {
  memory.counters = { ...memory.counters, upgrades: memory.counters.upgrades + 1 };
  memory.outbox.put("counters", memory.counters);
  if (program === memory.program) return;
  memory.program = program;
  memory.outbox.put("program", program);
};

export const rememberOwn = (memory: Memory, own: unknown): void => {
  memory.own = own;
  memory.outbox.put("own", own);
};

/** Forgets all that hung on a connection that is gone. */
export const forgetConnection = (memory: Memory, connection: number): void => {
  if (memory.followers.delete(connection)) memory.outbox.put("followers", [...memory.followers]);
  if (memory.authenticated.delete(connection)) memory.outbox.put("authenticated", [...memory.authenticated]);
};
