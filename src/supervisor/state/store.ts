// All that the supervisor knows, and which journal key holds which part of it. Written whenever it changes, read at
// every hello (restore.ts): a supervisor that starts is in no other position than one that went on.

import type { GoodSpec } from "../../core/model/spec.ts";
import type { State } from "../../core/model/state.ts";
import type { GenerationNumber, Worker, WorkerId } from "../../core/model/worker.ts";
import { changedWorkers, findWorker } from "../../core/model/workers.ts";
import type { Platform } from "../os/platform.ts";
import type { DescriptorStore, StoredDescriptor } from "../workers/start/stored-descriptors.ts";
import type { Outbox } from "./batch.ts";
import { type Counters, count } from "./counters.ts";
import type { NoteLog } from "./event-log.ts";
import type { KeeperFacts } from "./facts.ts";
import type { FrontEnd } from "./front-end.ts";
import type { Adoption } from "./left.ts";
import type { Measurements } from "./measurements.ts";
import type { Finished, Pending } from "./pending.ts";
import type { Seldom } from "./rate-limit.ts";
import type { ServiceManager } from "./service-manager.ts";
import type { Settings } from "./settings.ts";
import { generationText, goodSpecText } from "./spec-texts.ts";
import type { Upgrade } from "./upgrade-stages.ts";

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
  /** What this crank comes after: one that was `killed` has left its lock, and perhaps its `journal`. Missing: one that ended, or none. */
  readonly follows?: "killed" | "journal";
  /** The socket that `failure` is about, where another process has its address. */
  readonly inUse?: number;
  /** The journal had to leave the disk; missing: it is where it belongs. */
  readonly journal?: "memory";
};

/** A listening socket as the keeper opened it. `bind` is the index in `settings.binds`, null for the control socket. */
export type OpenSocket = {
  readonly handle: number;
  readonly bind: number | null;
  readonly domain: number;
  readonly type: number;
  /** With the port filled in. */
  readonly address: string;
  /** How many connections could wait when it was opened; missing: that is not known. */
  readonly limit?: number;
};

/**
 * What became of the name of a unix socket's file, once something did; `bound`: a new socket has it. `oldWorkers`: up to this
 * number they have the socket from before; null: none has. `isTried`: they were to be replaced for it. `told`, `failed`: how
 * often that was said.
 */
export type SocketName = {
  readonly state: "restored" | "taken" | "blocked" | "lost" | "bound";
  /** Who listens there, 0: unknown. */
  readonly pid: number;
  readonly reason: string | null;
  readonly oldWorkers: number | null;
  /** How often a rollout for it was begun, and when the next may begin, CLOCK_MONOTONIC ms. Missing: none was. */
  readonly tries?: number;
  readonly tryAt?: number;
  /** A new socket is being bound. */
  readonly isBinding?: true;
  readonly told?: Seldom;
  readonly failed?: Seldom;
};

const FINISHED_KEPT = 16;

/**
 * What a worker has said of itself on its notify socket, escaped and bounded. `notedAt`, `notedIn`: when its status was last
 * told, and in which state it was. `failures`, `mains`: how often its ERRNO= and its wrong MAINPID= were told. `watchdogMs`: the period that it has chosen itself. `refused`: what others said for it,
 * that it is ready and whatever else. `keeper`: the pid of the killed crank that started it; missing: this one.
 */
export type Said = {
  readonly status?: string;
  readonly notedAt?: number;
  readonly notedIn?: Worker["kind"];
  readonly errno?: number;
  readonly reloading?: true;
  readonly watchdogMs?: number;
  readonly failures?: Seldom;
  readonly mains?: Seldom;
  readonly keeper?: number;
  readonly refused?: { readonly ready?: Seldom; readonly others?: Seldom };
};

/**
 * A generation is in place, and its worker may serve elsewhere than at the service's sockets (accepting.ts). `at`, `until`: when
 * it is looked at next, and last, CLOCK_MONOTONIC ms. `waited`: so many looks in a row found connections that nothing accepted.
 */
export type Look = {
  readonly generation: GenerationNumber;
  readonly at: number;
  readonly until: number;
  readonly waited: number;
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
  /** What became of the names of sockets, by handle. */
  readonly names: Map<number, SocketName>;
  /** What workers left for later ones, by handle. */
  readonly stored: Map<number, StoredDescriptor>;
  store: DescriptorStore;
  /** The service's sockets that crank has closed for its end, while their connections are still being served. */
  closed: readonly OpenSocket[];
  readonly pending: Map<number, Pending>;
  readonly finished: Finished[];
  /** Workers and probes of the core, by the keeper's numbers, whose starts it has not been told of yet, in their order. */
  unstarted: readonly number[];
  /** By their numbers, whose probes this supervisor has begun: who is not in it is looked for. */
  readonly probed: Map<number, WorkerId>;
  /** By worker. */
  readonly said: Map<number, Said>;
  /** Of what is said once for a generation: for which one it was said last (once.ts). */
  once: Readonly<Record<string, GenerationNumber>>;
  /** By handle, as the keeper says in its hello and when it opens one. */
  readonly inodes: Map<number, number>;
  /** Connections that follow `events`. */
  readonly followers: Set<number>;
  /** Connections over tcp that have shown the secret. */
  readonly authenticated: Set<number>;
  /** How often wrong tokens were told, by this supervisor: the next one begins to count again. */
  penalties: Seldom | undefined;
  /** While there is something to be found out. */
  look: Look | null;
  /** While it is under way. */
  upgrade: Upgrade | null;
  /** What the last upgrade by `-exec` was to; null: crank is found where it was started. */
  program: string | null;
  /** Of the journal's values. */
  format: number;
  /** The front end's own (own.ts); null: nothing yet. */
  own: unknown;
};

/** What crank was started with. */
export const rememberSettings = (memory: Memory, settings: Settings): void => {
  memory.settings = settings;
  memory.outbox.put("settings", settings);
};

/** How far crank's own start is. */
export const rememberBoot = (memory: Memory, boot: Boot): void => {
  memory.boot = boot;
  memory.outbox.put("boot", boot);
};

/** How far the taking over of what a killed crank left is; null: it is over. */
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
  if (before.generations !== next.generations) rememberGenerations(memory, before.generations, next.generations);
  if (before.workers !== next.workers) rememberWorkers(memory, before.workers, next.workers);
};

/** A key for each good spec: most of them are the same from deploy to deploy. */
const rememberHistory = (memory: Memory, before: readonly GoodSpec[], next: readonly GoodSpec[]): void => {
  for (const good of next) {
    if (!before.includes(good)) memory.outbox.putText(`history/${good.generation}`, goodSpecText(good));
  }
  for (const good of before) {
    // Most are still there as they were, which is found out soonest.
    if (next.includes(good) || next.some((other) => other.generation === good.generation)) continue;
    memory.outbox.remove(`history/${good.generation}`);
  }
};

const rememberGenerations = (memory: Memory, before: State["generations"], next: State["generations"]): void => {
  for (const generation of Object.values(next)) {
    const { number } = generation;
    if (generation !== before[number]) memory.outbox.putText(`generation/${number}`, generationText(generation));
  }
  for (const number of Object.keys(before)) {
    if (!(number in next)) memory.outbox.remove(`generation/${number}`);
  }
};

const rememberWorkers = (memory: Memory, before: State["workers"], next: State["workers"]): void => {
  for (const id of changedWorkers(before, next)) {
    const worker = findWorker(next, id);
    if (worker) memory.outbox.put(`worker/${id}`, worker);
    else memory.outbox.remove(`worker/${id}`);
  }
};

export const rememberSocket = (memory: Memory, socket: OpenSocket): void => {
  memory.sockets.set(socket.handle, socket);
  memory.outbox.put(`socket/${socket.handle}`, socket);
};

/** A socket is gone. */
export const forgetSocket = (memory: Memory, handle: number): void => {
  memory.sockets.delete(handle);
  memory.outbox.remove(`socket/${handle}`);
};

export const rememberName = (memory: Memory, handle: number, name: SocketName): void => {
  memory.names.set(handle, name);
  memory.outbox.put(`name/${handle}`, name);
};

export const forgetName = (memory: Memory, handle: number): void => {
  if (memory.names.delete(handle)) memory.outbox.remove(`name/${handle}`);
};

/** Forgets a socket of the service that crank closes, but for where it was. */
export const closeSocket = (memory: Memory, socket: OpenSocket): void => {
  forgetSocket(memory, socket.handle);
  memory.closed = [...memory.closed, socket];
  memory.outbox.put("closed", memory.closed);
};

/** A number for a request that nobody had before. */
export const nextRequest = (memory: Memory): number => {
  count(memory, "requests");
  return memory.counters.requests;
};

/** A supervisor has ended unasked. */
export const countDeath = (memory: Memory): void => {
  count(memory, "supervisorDeaths");
};

/** A request waits for its answer. */
export const rememberPending = (memory: Memory, request: number, pending: Pending): void => {
  memory.pending.set(request, pending);
  memory.outbox.put(`pending/${request}`, pending);
};

/** A request has been answered, or nobody waits for it any more. */
export const forgetPending = (memory: Memory, request: number): void => {
  if (memory.pending.delete(request)) memory.outbox.remove(`pending/${request}`);
};

/** An answer that may be asked for again; the last few are kept. */
export const rememberFinished = (memory: Memory, finished: Finished): void => {
  memory.finished.push(finished);
  if (memory.finished.length > FINISHED_KEPT) memory.finished.shift();
  memory.outbox.put("finished", memory.finished);
};

/** The workers whose start did not fit into a batch, all of them. */
export const rememberUnstarted = (memory: Memory, workers: readonly number[]): void => {
  memory.unstarted = workers;
  if (workers.length > 0) memory.outbox.put("unstarted", workers);
  else memory.outbox.remove("unstarted");
};

/** What a worker says of itself. */
export const rememberSaid = (memory: Memory, worker: number, said: Said): void => {
  memory.said.set(worker, said);
  memory.outbox.put(`said/${worker}`, said);
};

/** A worker that said something is gone. */
export const forgetSaid = (memory: Memory, worker: number): void => {
  if (memory.said.delete(worker)) memory.outbox.remove(`said/${worker}`);
};

/** What was said once. */
export const rememberOnce = (memory: Memory, once: Memory["once"]): void => {
  memory.once = once;
  memory.outbox.put("once", once);
};

/** Whether a worker accepts is to be looked at; null: it is known. */
export const rememberLook = (memory: Memory, look: Look | null): void => {
  memory.look = look;
  if (look) memory.outbox.put("look", look);
  else memory.outbox.remove("look");
};

/** A connection wants to hear of events. */
export const addFollower = (memory: Memory, connection: number): void => {
  memory.followers.add(connection);
  memory.outbox.put("followers", [...memory.followers]);
};

/** A connection has shown the secret. */
export const authenticate = (memory: Memory, connection: number): void => {
  memory.authenticated.add(connection);
  memory.outbox.put("authenticated", [...memory.authenticated]);
};

/** How far an upgrade is; null: there is none. */
export const rememberUpgrade = (memory: Memory, upgrade: Upgrade | null): void => {
  memory.upgrade = upgrade;
  if (upgrade) memory.outbox.put("upgrade", upgrade);
  else memory.outbox.remove("upgrade");
};

/** An upgrade begins; its number is taken. */
export const beginUpgrade = (memory: Memory, upgrade: Upgrade): void => {
  memory.counters = { ...memory.counters, upgradesBegun: upgrade.number };
  memory.outbox.put("counters", memory.counters);
  rememberUpgrade(memory, upgrade);
};

/** An upgrade has come to its good end; `program` is what the next one is to, when nobody says otherwise. */
export const countUpgrade = (memory: Memory, program: string | null): void => {
  count(memory, "upgrades");
  if (program === memory.program) return;
  memory.program = program;
  memory.outbox.put("program", program);
};

/** The front end's own part, as own.ts wants it. */
export const rememberOwn = (memory: Memory, own: unknown): void => {
  memory.own = own;
  memory.outbox.put("own", own);
};

/** Forgets all that hung on a connection that is gone. */
export const forgetConnection = (memory: Memory, connection: number): void => {
  if (memory.followers.delete(connection)) memory.outbox.put("followers", [...memory.followers]);
  if (memory.authenticated.delete(connection)) memory.outbox.put("authenticated", [...memory.authenticated]);
};
