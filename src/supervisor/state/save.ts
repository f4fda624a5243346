// Changes of the supervisor's store, each journalled with the batch of its event (store.ts lists what there is).

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
import type { AcceptCheck, Boot, OpenSocket, SocketName, Store, WorkerReport } from "./store.ts";

/** Stores what crank was started with. */
export const saveSettings = (store: Store, settings: Settings): void => {
  store.settings = settings;
  store.batch.put("settings", settings);
};

/** Stores how far crank's own start is. */
export const saveBoot = (store: Store, boot: Boot): void => {
  store.boot = boot;
  store.batch.put("boot", boot);
};

/** Stores how far an adoption is; null: it is over. */
export const saveAdoption = (store: Store, adoption: Adoption | null): void => {
  store.adoption = adoption;
  if (adoption) store.batch.put("adoption", adoption);
  else store.batch.remove("adoption");
};

/** Stores the core's next state. Writes only what has changed, compared by reference. */
export const saveCore = (store: Store, next: State): void => {
  const before = store.core;
  if (before === next) return;
  store.core = next;
  if (before.service !== next.service) store.batch.put("service", next.service);
  if (before.history !== next.history) saveHistory(store, before.history, next.history);
  if (before.generations !== next.generations) saveGenerations(store, before.generations, next.generations);
  if (before.workers !== next.workers) saveWorkers(store, before.workers, next.workers);
};

/** One key per good spec, because most of them stay the same from deploy to deploy. */
const saveHistory = (store: Store, before: readonly GoodSpec[], next: readonly GoodSpec[]): void => {
  for (const good of next) {
    if (!before.includes(good)) store.batch.putText(`history/${good.generation}`, goodSpecText(good));
  }
  for (const good of before) {
    // The fast check first: most entries are unchanged.
    if (next.includes(good) || next.some((other) => other.generation === good.generation)) continue;
    store.batch.remove(`history/${good.generation}`);
  }
};

const saveGenerations = (store: Store, before: State["generations"], next: State["generations"]): void => {
  for (const generation of Object.values(next)) {
    const { number } = generation;
    if (generation !== before[number]) store.batch.putText(`generation/${number}`, generationText(generation));
  }
  for (const number of Object.keys(before)) {
    if (!(number in next)) store.batch.remove(`generation/${number}`);
  }
};

const saveWorkers = (store: Store, before: State["workers"], next: State["workers"]): void => {
  for (const id of changedWorkers(before, next)) {
    const worker = findWorker(next, id);
    if (worker) store.batch.put(`worker/${id}`, worker);
    else store.batch.remove(`worker/${id}`);
  }
};

export const saveSocket = (store: Store, socket: OpenSocket): void => {
  store.sockets.set(socket.handle, socket);
  store.batch.put(`socket/${socket.handle}`, socket);
};

export const forgetSocket = (store: Store, handle: number): void => {
  store.sockets.delete(handle);
  store.batch.remove(`socket/${handle}`);
};

export const saveName = (store: Store, handle: number, name: SocketName): void => {
  store.names.set(handle, name);
  store.batch.put(`name/${handle}`, name);
};

export const forgetName = (store: Store, handle: number): void => {
  if (store.names.delete(handle)) store.batch.remove(`name/${handle}`);
};

/** Forgets a socket of the service that crank closes, except for its address. */
export const closeSocket = (store: Store, socket: OpenSocket): void => {
  forgetSocket(store, socket.handle);
  store.closed = [...store.closed, socket];
  store.batch.put("closed", store.closed);
};

/** A new request number. */
export const nextRequest = (store: Store): number => {
  count(store, "requests");
  return store.counters.requests;
};

/** Counts a supervisor that ended unexpectedly. */
export const countDeath = (store: Store): void => {
  count(store, "supervisorDeaths");
};

/** Stores a request that waits for its answer. */
export const savePending = (store: Store, request: number, pending: Pending): void => {
  store.pending.set(request, pending);
  store.batch.put(`pending/${request}`, pending);
};

/** Forgets a request that was answered, or whose client is gone. */
export const forgetPending = (store: Store, request: number): void => {
  if (store.pending.delete(request)) store.batch.remove(`pending/${request}`);
};

const FINISHED_KEPT = 16;

/** Stores an answer that may be requested again. Only the last few are kept. */
export const saveFinished = (store: Store, finished: Finished): void => {
  store.finished.push(finished);
  if (store.finished.length > FINISHED_KEPT) store.finished.shift();
  store.batch.put("finished", store.finished);
};

/** Stores the workers whose start did not fit into a batch. */
export const saveUnstarted = (store: Store, workers: readonly number[]): void => {
  store.unstarted = workers;
  if (workers.length > 0) store.batch.put("unstarted", workers);
  else store.batch.remove("unstarted");
};

/** Stores what a worker reported about itself. */
export const saveReport = (store: Store, worker: number, report: WorkerReport): void => {
  store.reports.set(worker, report);
  store.batch.put(`said/${worker}`, report);
};

/** Forgets the reports of a worker that is gone. */
export const forgetReport = (store: Store, worker: number): void => {
  if (store.reports.delete(worker)) store.batch.remove(`said/${worker}`);
};

export const saveOnce = (store: Store, once: Store["once"]): void => {
  store.once = once;
  store.batch.put("once", once);
};

/** Stores the look at whether a worker accepts; null: it has ended. */
export const saveAcceptCheck = (store: Store, check: AcceptCheck | null): void => {
  store.acceptCheck = check;
  if (check) store.batch.put("look", check);
  else store.batch.remove("look");
};

/** Adds a connection that follows events. */
export const addFollower = (store: Store, connection: number): void => {
  store.followers.add(connection);
  store.batch.put("followers", [...store.followers]);
};

/** Marks a connection that has sent the token. */
export const authenticate = (store: Store, connection: number): void => {
  store.authenticated.add(connection);
  store.batch.put("authenticated", [...store.authenticated]);
};

/** Stores how far an upgrade is; null: there is none. */
export const saveUpgrade = (store: Store, upgrade: Upgrade | null): void => {
  store.upgrade = upgrade;
  if (upgrade) store.batch.put("upgrade", upgrade);
  else store.batch.remove("upgrade");
};

/** Begins an upgrade and uses its number. */
export const beginUpgrade = (store: Store, upgrade: Upgrade): void => {
  store.counters = { ...store.counters, upgradesBegun: upgrade.number };
  store.batch.put("counters", store.counters);
  saveUpgrade(store, upgrade);
};

/** Counts a successful upgrade. `program`: the default target of the next one. */
export const countUpgrade = (store: Store, program: string | null): void => {
  count(store, "upgrades");
  if (program === store.program) return;
  store.program = program;
  store.batch.put("program", program);
};

/** Stores the front end's own part (front-end-part.ts). */
export const saveFrontEndPart = (store: Store, own: unknown): void => {
  store.frontEndPart = own;
  store.batch.put("own", own);
};

/** Forgets everything that belongs to a closed connection. */
export const forgetConnection = (store: Store, connection: number): void => {
  if (store.followers.delete(connection)) store.batch.put("followers", [...store.followers]);
  if (store.authenticated.delete(connection)) store.batch.put("authenticated", [...store.authenticated]);
};

export const saveServiceManager = (store: Store, changes: Partial<ServiceManager>): void => {
  store.serviceManager = { ...store.serviceManager, ...changes };
  store.batch.put("serviceManager", store.serviceManager);
};

/** Marks an entry of the service manager's store for removal, because it cannot be used. */
export const discardStored = (store: Store, name: string): void => {
  const { discarded } = store.serviceManager;
  if (!discarded.includes(name)) saveServiceManager(store, { discarded: [...discarded, name] });
};

export const count = (store: Store, what: keyof Counters): void => {
  store.counters = { ...store.counters, [what]: store.counters[what] + 1 };
  store.batch.put("counters", store.counters);
};

/** Counts the workers and rollouts of this event. */
export const countEvent = (store: Store, event: ServiceEvent): void => {
  if (event.kind === "workerStarted") count(store, "starts");
  else if (event.kind === "workerGone") count(store, event.expected ? "exitsAsked" : "exitsUnasked");
  else if (event.kind === "rolloutComplete") count(store, "rolloutsComplete");
  else if (event.kind === "rolloutRolledBack") count(store, "rolloutsRolledBack");
};
