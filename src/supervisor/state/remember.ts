// Changes to what the supervisor knows, each written to the journal with the batch of its event (store.ts says what there is).

import type { ServiceEvent } from "../../core/model/effects.ts";
import type { GoodSpec } from "../../core/model/spec.ts";
import type { State } from "../../core/model/state.ts";
import { changedWorkers, findWorker } from "../../core/model/workers.ts";
import type { Adoption } from "./parts/adoption.ts";
import type { Counters } from "./parts/counters.ts";
import type { Finished, Pending } from "./parts/pending.ts";
import type { ServiceManager } from "./parts/service-manager.ts";
import type { Upgrade } from "./parts/upgrade.ts";
import type { Settings } from "./settings.ts";
import { generationText, goodSpecText } from "./spec-texts.ts";
import type { Boot, Look, Memory, OpenSocket, SocketName, WorkerReport } from "./store.ts";

/** What crank was started with. */
export const rememberSettings = (memory: Memory, settings: Settings): void => {
  memory.settings = settings;
  memory.batch.put("settings", settings);
};

/** How far crank's own start is. */
export const rememberBoot = (memory: Memory, boot: Boot): void => {
  memory.boot = boot;
  memory.batch.put("boot", boot);
};

/** How far the taking over of what a killed crank left is; null: it is over. */
export const rememberAdoption = (memory: Memory, adoption: Adoption | null): void => {
  memory.adoption = adoption;
  if (adoption) memory.batch.put("adoption", adoption);
  else memory.batch.remove("adoption");
};

/** Takes the core's next state; only what has changed (by reference) is written. */
export const rememberCore = (memory: Memory, next: State): void => {
  const before = memory.core;
  if (before === next) return;
  memory.core = next;
  if (before.service !== next.service) memory.batch.put("service", next.service);
  if (before.history !== next.history) rememberHistory(memory, before.history, next.history);
  if (before.generations !== next.generations) rememberGenerations(memory, before.generations, next.generations);
  if (before.workers !== next.workers) rememberWorkers(memory, before.workers, next.workers);
};

/** A key for each good spec: most of them are the same from deploy to deploy. */
const rememberHistory = (memory: Memory, before: readonly GoodSpec[], next: readonly GoodSpec[]): void => {
  for (const good of next) {
    if (!before.includes(good)) memory.batch.putText(`history/${good.generation}`, goodSpecText(good));
  }
  for (const good of before) {
    // Most are still there as they were, which is found out soonest.
    if (next.includes(good) || next.some((other) => other.generation === good.generation)) continue;
    memory.batch.remove(`history/${good.generation}`);
  }
};

const rememberGenerations = (memory: Memory, before: State["generations"], next: State["generations"]): void => {
  for (const generation of Object.values(next)) {
    const { number } = generation;
    if (generation !== before[number]) memory.batch.putText(`generation/${number}`, generationText(generation));
  }
  for (const number of Object.keys(before)) {
    if (!(number in next)) memory.batch.remove(`generation/${number}`);
  }
};

const rememberWorkers = (memory: Memory, before: State["workers"], next: State["workers"]): void => {
  for (const id of changedWorkers(before, next)) {
    const worker = findWorker(next, id);
    if (worker) memory.batch.put(`worker/${id}`, worker);
    else memory.batch.remove(`worker/${id}`);
  }
};

export const rememberSocket = (memory: Memory, socket: OpenSocket): void => {
  memory.sockets.set(socket.handle, socket);
  memory.batch.put(`socket/${socket.handle}`, socket);
};

/** A socket is gone. */
export const forgetSocket = (memory: Memory, handle: number): void => {
  memory.sockets.delete(handle);
  memory.batch.remove(`socket/${handle}`);
};

export const rememberName = (memory: Memory, handle: number, name: SocketName): void => {
  memory.names.set(handle, name);
  memory.batch.put(`name/${handle}`, name);
};

export const forgetName = (memory: Memory, handle: number): void => {
  if (memory.names.delete(handle)) memory.batch.remove(`name/${handle}`);
};

/** Forgets a socket of the service that crank closes, but for where it was. */
export const closeSocket = (memory: Memory, socket: OpenSocket): void => {
  forgetSocket(memory, socket.handle);
  memory.closed = [...memory.closed, socket];
  memory.batch.put("closed", memory.closed);
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
  memory.batch.put(`pending/${request}`, pending);
};

/** A request has been answered, or nobody waits for it any more. */
export const forgetPending = (memory: Memory, request: number): void => {
  if (memory.pending.delete(request)) memory.batch.remove(`pending/${request}`);
};

const FINISHED_KEPT = 16;

/** An answer that may be asked for again; the last few are kept. */
export const rememberFinished = (memory: Memory, finished: Finished): void => {
  memory.finished.push(finished);
  if (memory.finished.length > FINISHED_KEPT) memory.finished.shift();
  memory.batch.put("finished", memory.finished);
};

/** The workers whose start did not fit into a batch, all of them. */
export const rememberUnstarted = (memory: Memory, workers: readonly number[]): void => {
  memory.unstarted = workers;
  if (workers.length > 0) memory.batch.put("unstarted", workers);
  else memory.batch.remove("unstarted");
};

/** What a worker says of itself. */
export const rememberReport = (memory: Memory, worker: number, said: WorkerReport): void => {
  memory.reports.set(worker, said);
  memory.batch.put(`said/${worker}`, said);
};

/** A worker that said something is gone. */
export const forgetReport = (memory: Memory, worker: number): void => {
  if (memory.reports.delete(worker)) memory.batch.remove(`said/${worker}`);
};

/** What was said once. */
export const rememberOnce = (memory: Memory, once: Memory["once"]): void => {
  memory.once = once;
  memory.batch.put("once", once);
};

/** Whether a worker accepts is to be looked at; null: it is known. */
export const rememberLook = (memory: Memory, look: Look | null): void => {
  memory.look = look;
  if (look) memory.batch.put("look", look);
  else memory.batch.remove("look");
};

/** A connection wants to hear of events. */
export const addFollower = (memory: Memory, connection: number): void => {
  memory.followers.add(connection);
  memory.batch.put("followers", [...memory.followers]);
};

/** A connection has shown the secret. */
export const authenticate = (memory: Memory, connection: number): void => {
  memory.authenticated.add(connection);
  memory.batch.put("authenticated", [...memory.authenticated]);
};

/** How far an upgrade is; null: there is none. */
export const rememberUpgrade = (memory: Memory, upgrade: Upgrade | null): void => {
  memory.upgrade = upgrade;
  if (upgrade) memory.batch.put("upgrade", upgrade);
  else memory.batch.remove("upgrade");
};

/** An upgrade begins; its number is taken. */
export const beginUpgrade = (memory: Memory, upgrade: Upgrade): void => {
  memory.counters = { ...memory.counters, upgradesBegun: upgrade.number };
  memory.batch.put("counters", memory.counters);
  rememberUpgrade(memory, upgrade);
};

/** An upgrade has come to its good end; `program` is what the next one is to, when nobody says otherwise. */
export const countUpgrade = (memory: Memory, program: string | null): void => {
  count(memory, "upgrades");
  if (program === memory.program) return;
  memory.program = program;
  memory.batch.put("program", program);
};

/** The front end's own part, as own.ts wants it. */
export const rememberOwn = (memory: Memory, own: unknown): void => {
  memory.own = own;
  memory.batch.put("own", own);
};

/** Forgets all that hung on a connection that is gone. */
export const forgetConnection = (memory: Memory, connection: number): void => {
  if (memory.followers.delete(connection)) memory.batch.put("followers", [...memory.followers]);
  if (memory.authenticated.delete(connection)) memory.batch.put("authenticated", [...memory.authenticated]);
};

/** Changes what is known, in the journal too. */
export const rememberManager = (memory: Memory, changes: Partial<ServiceManager>): void => {
  memory.serviceManager = { ...memory.serviceManager, ...changes };
  memory.batch.put("serviceManager", memory.serviceManager);
};

/** What lies in the store under this name has to go: it is of no use. */
export const discardStored = (memory: Memory, name: string): void => {
  const { discarded } = memory.serviceManager;
  if (!discarded.includes(name)) rememberManager(memory, { discarded: [...discarded, name] });
};

/** Adds one. */
export const count = (memory: Memory, what: keyof Counters): void => {
  memory.counters = { ...memory.counters, [what]: memory.counters[what] + 1 };
  memory.batch.put("counters", memory.counters);
};

/** Counts workers and rollouts by their events. */
export const countEvent = (memory: Memory, event: ServiceEvent): void => {
  if (event.kind === "workerStarted") count(memory, "starts");
  else if (event.kind === "workerGone") count(memory, event.expected ? "exitsAsked" : "exitsUnasked");
  else if (event.kind === "rolloutComplete") count(memory, "rolloutsComplete");
  else if (event.kind === "rolloutRolledBack") count(memory, "rolloutsRolledBack");
};
