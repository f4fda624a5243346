// Changes of the supervisor's memory, each journalled with the batch of its event (store.ts lists what there is).

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

/** Stores what crank was started with. */
export const rememberSettings = (memory: Memory, settings: Settings): void => {
  memory.settings = settings;
  memory.batch.put("settings", settings);
};

/** Stores how far crank's own start is. */
export const rememberBoot = (memory: Memory, boot: Boot): void => {
  memory.boot = boot;
  memory.batch.put("boot", boot);
};

/** Stores how far an adoption is; null: it is over. */
export const rememberAdoption = (memory: Memory, adoption: Adoption | null): void => {
  memory.adoption = adoption;
  if (adoption) memory.batch.put("adoption", adoption);
  else memory.batch.remove("adoption");
};

/** Stores the core's next state. Writes only what has changed, compared by reference. */
export const rememberCore = (memory: Memory, next: State): void => {
  const before = memory.core;
  if (before === next) return;
  memory.core = next;
  if (before.service !== next.service) memory.batch.put("service", next.service);
  if (before.history !== next.history) rememberHistory(memory, before.history, next.history);
  if (before.generations !== next.generations) rememberGenerations(memory, before.generations, next.generations);
  if (before.workers !== next.workers) rememberWorkers(memory, before.workers, next.workers);
};

/** One key per good spec, because most of them stay the same from deploy to deploy. */
const rememberHistory = (memory: Memory, before: readonly GoodSpec[], next: readonly GoodSpec[]): void => {
  for (const good of next) {
    if (!before.includes(good)) memory.batch.putText(`history/${good.generation}`, goodSpecText(good));
  }
  for (const good of before) {
    // The fast check first: most entries are unchanged.
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

/** Forgets a socket of the service that crank closes, except for its address. */
export const closeSocket = (memory: Memory, socket: OpenSocket): void => {
  forgetSocket(memory, socket.handle);
  memory.closed = [...memory.closed, socket];
  memory.batch.put("closed", memory.closed);
};

/** A new request number. */
export const nextRequest = (memory: Memory): number => {
  count(memory, "requests");
  return memory.counters.requests;
};

/** Counts a supervisor that ended unexpectedly. */
export const countDeath = (memory: Memory): void => {
  count(memory, "supervisorDeaths");
};

/** Stores a request that waits for its answer. */
export const rememberPending = (memory: Memory, request: number, pending: Pending): void => {
  memory.pending.set(request, pending);
  memory.batch.put(`pending/${request}`, pending);
};

/** Forgets a request that was answered, or whose client is gone. */
export const forgetPending = (memory: Memory, request: number): void => {
  if (memory.pending.delete(request)) memory.batch.remove(`pending/${request}`);
};

const FINISHED_KEPT = 16;

/** Stores an answer that may be requested again. Only the last few are kept. */
export const rememberFinished = (memory: Memory, finished: Finished): void => {
  memory.finished.push(finished);
  if (memory.finished.length > FINISHED_KEPT) memory.finished.shift();
  memory.batch.put("finished", memory.finished);
};

/** Stores the workers whose start did not fit into a batch. */
export const rememberUnstarted = (memory: Memory, workers: readonly number[]): void => {
  memory.unstarted = workers;
  if (workers.length > 0) memory.batch.put("unstarted", workers);
  else memory.batch.remove("unstarted");
};

/** Stores what a worker reported about itself. */
export const rememberReport = (memory: Memory, worker: number, said: WorkerReport): void => {
  memory.reports.set(worker, said);
  memory.batch.put(`said/${worker}`, said);
};

/** Forgets the reports of a worker that is gone. */
export const forgetReport = (memory: Memory, worker: number): void => {
  if (memory.reports.delete(worker)) memory.batch.remove(`said/${worker}`);
};

export const rememberOnce = (memory: Memory, once: Memory["once"]): void => {
  memory.once = once;
  memory.batch.put("once", once);
};

/** Stores the look at whether a worker accepts; null: it has ended. */
export const rememberLook = (memory: Memory, look: Look | null): void => {
  memory.look = look;
  if (look) memory.batch.put("look", look);
  else memory.batch.remove("look");
};

/** Adds a connection that follows events. */
export const addFollower = (memory: Memory, connection: number): void => {
  memory.followers.add(connection);
  memory.batch.put("followers", [...memory.followers]);
};

/** Marks a connection that has sent the token. */
export const authenticate = (memory: Memory, connection: number): void => {
  memory.authenticated.add(connection);
  memory.batch.put("authenticated", [...memory.authenticated]);
};

/** Stores how far an upgrade is; null: there is none. */
export const rememberUpgrade = (memory: Memory, upgrade: Upgrade | null): void => {
  memory.upgrade = upgrade;
  if (upgrade) memory.batch.put("upgrade", upgrade);
  else memory.batch.remove("upgrade");
};

/** Begins an upgrade and uses its number. */
export const beginUpgrade = (memory: Memory, upgrade: Upgrade): void => {
  memory.counters = { ...memory.counters, upgradesBegun: upgrade.number };
  memory.batch.put("counters", memory.counters);
  rememberUpgrade(memory, upgrade);
};

/** Counts a successful upgrade. `program`: the default target of the next one. */
export const countUpgrade = (memory: Memory, program: string | null): void => {
  count(memory, "upgrades");
  if (program === memory.program) return;
  memory.program = program;
  memory.batch.put("program", program);
};

/** Stores the front end's own part (own.ts). */
export const rememberOwn = (memory: Memory, own: unknown): void => {
  memory.own = own;
  memory.batch.put("own", own);
};

/** Forgets everything that belongs to a closed connection. */
export const forgetConnection = (memory: Memory, connection: number): void => {
  if (memory.followers.delete(connection)) memory.batch.put("followers", [...memory.followers]);
  if (memory.authenticated.delete(connection)) memory.batch.put("authenticated", [...memory.authenticated]);
};

export const rememberManager = (memory: Memory, changes: Partial<ServiceManager>): void => {
  memory.serviceManager = { ...memory.serviceManager, ...changes };
  memory.batch.put("serviceManager", memory.serviceManager);
};

/** Marks an entry of the service manager's store for removal, because it cannot be used. */
export const discardStored = (memory: Memory, name: string): void => {
  const { discarded } = memory.serviceManager;
  if (!discarded.includes(name)) rememberManager(memory, { discarded: [...discarded, name] });
};

export const count = (memory: Memory, what: keyof Counters): void => {
  memory.counters = { ...memory.counters, [what]: memory.counters[what] + 1 };
  memory.batch.put("counters", memory.counters);
};

/** Counts the workers and rollouts of this event. */
export const countEvent = (memory: Memory, event: ServiceEvent): void => {
  if (event.kind === "workerStarted") count(memory, "starts");
  else if (event.kind === "workerGone") count(memory, event.expected ? "exitsAsked" : "exitsUnasked");
  else if (event.kind === "rolloutComplete") count(memory, "rolloutsComplete");
  else if (event.kind === "rolloutRolledBack") count(memory, "rolloutsRolledBack");
};
