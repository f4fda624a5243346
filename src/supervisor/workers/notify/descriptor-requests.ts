// Workers' requests about stored descriptors: FDSTORE, FDNAME, FDPOLL and FDSTOREREMOVE of sd_notify(3), and two of
// crank's own: FDNUMBER, for programs that cannot send a descriptor, and FDTAKE, for running workers that want what is
// stored.

import type { DescriptorsLost } from "../../../control/supervisor-events.ts";
import { describeErrno } from "../../../core/errno.ts";
import type { Worker } from "../../../core/model/worker.ts";
import { findWorker } from "../../../core/model/workers.ts";
import { willStart } from "../../../core/pool/pool.ts";
import { COMMANDS, type KeeperEvent } from "../../../keeper/protocol.ts";
import { log } from "../../events/log.ts";
import { recordEvent } from "../../events/supervisor-event.ts";
import { limitRate } from "../../state/parts/rate-limit.ts";
import type { DescriptorState, StoredDescriptor } from "../../state/parts/stored-descriptors.ts";
import type { Store } from "../../state/store.ts";
import {
  dropStored,
  FIRST_STORED_HANDLE,
  forgetStored,
  saveDescriptorStore,
  saveStored,
  storeLimit,
} from "../start/stored-descriptors.ts";
import type { NotifyFields } from "./notification.ts";
import { usersOf } from "./ownership.ts";

type EventOf<K extends KeeperEvent["kind"]> = Extract<KeeperEvent, { kind: K }>;
type Datagram = EventOf<"datagram">;

/** `datagram.flags`: descriptors of this datagram were lost. */
const DESCRIPTORS_LOST = 2;
/** The name that sd_pid_notify_with_fds(3) uses for a descriptor without a name. */
const UNNAMED = "stored";
/** Limit of all names together: they are one environment variable (execve(2), MAX_ARG_STRLEN). */
const MOST_NAME_BYTES = 64 * 1024;
/** How many a running worker is sent at once; it has to ask again for the rest. */
const MOST_AT_ONCE = 16;
const EBADF = 9;

/** Carries out the parts of a notification that are about stored descriptors. */
export const takeStoreRequests = (store: Store, worker: Worker, fields: NotifyFields, event: Datagram): void => {
  if (fields.get("FDSTOREREMOVE") === "1") remove(store, worker, fields.get("FDNAME"));
  if (fields.get("FDSTORE") === "1") storeDescriptors(store, worker, fields, event);
  if (fields.get("FDTAKE") === "1") ask(store, worker);
  serveAsking(store);
};

const nameOf = ({ id, pid }: Worker): string => `Worker ${id} (pid ${pid ?? "unknown"})`;

/** Whether LISTEN_FDNAMES can hold the name: ASCII without control characters and colons. */
const isName = (text: string): boolean => /^[ -9;-~]{0,255}$/.test(text);

const quote = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 59)}…` : text);

const remove = (store: Store, worker: Worker, name: string | undefined): void => {
  if (name === undefined || !isName(name))
    return log(store, "warning", `${nameOf(worker)} sent FDSTOREREMOVE=1 without a valid FDNAME; ignored`);
  for (const stored of store.stored.values()) {
    if (stored.name === name && stored.place.kind === "kept") dropStored(store, stored.handle);
  }
};

const storeDescriptors = (store: Store, worker: Worker, fields: NotifyFields, event: Datagram): void => {
  const name = usableName(store, worker, fields.get("FDNAME"));
  const poll = fields.get("FDPOLL") !== "0";
  const number = fields.get("FDNUMBER");
  const areLost = (event.flags & DESCRIPTORS_LOST) !== 0;
  if (areLost)
    reportFailed(store, event.deliveredAt, (more) => ({ ...named(worker), kind: LOST, cause: "overflow", more }));
  else if (event.descriptors === 0 && number === undefined)
    log(store, "warning", `${nameOf(worker)} sent FDSTORE=1 without a descriptor; ignored`);
  for (let index = 0; index < event.descriptors; index++) {
    const obstacle = whyNotStored(store, worker, name);
    // Descriptors that are not stored are closed with the event.
    if (obstacle !== null) {
      reportStored(store, worker, { name, count: index }, event.deliveredAt);
      return sayFull(store, worker, obstacle, event.deliveredAt);
    }
    const handle = add(store, worker, name, { kind: "kept" });
    store.batch.command({ kind: "keepDescriptor", event: event.seq, index, handle });
    store.batch.command({ kind: "storeHandle", handle, poll: poll ? 1 : 0 });
  }
  reportStored(store, worker, { name, count: event.descriptors }, event.deliveredAt);
  if (number !== undefined) storeNumber(store, worker, { number, name, poll }, event);
};

const usableName = (store: Store, worker: Worker, name: string | undefined): string => {
  if (name === undefined) return UNNAMED;
  if (isName(name)) return name;
  const why = "at most 255 ASCII characters without a colon";
  log(
    store,
    "warning",
    `${nameOf(worker)} named a descriptor ${quote(name)}, which is not a valid name (${why}); ignored`,
  );
  return UNNAMED;
};

const add = (store: Store, worker: Worker, name: string, state: DescriptorState): number => {
  const handles = store.descriptorStore.handles + 1;
  const handle = FIRST_STORED_HANDLE + handles;
  saveDescriptorStore(store, { ...store.descriptorStore, handles, isFull: false });
  saveStored(store, { handle, name, from: worker.id, place: state });
  return handle;
};

/** Why no more can be stored, as part of a sentence; null if it can. */
const whyNotStored = (store: Store, worker: Worker, name: string): string | null => {
  const spec = store.core.generations[worker.generation]?.spec;
  if (store.core.service.phase.kind === "stopping" || !spec) return "crank is shutting down";
  const limit = storeLimit(store, spec);
  if (limit === 0) return "this service stores none (-fd-store 0)";
  if (store.stored.size >= limit) return `${limit} are stored, which is the limit (-fd-store)`;
  let bytes = name.length;
  for (const stored of store.stored.values()) bytes += 1 + stored.name.length;
  return bytes > MOST_NAME_BYTES ? `their names take more than ${MOST_NAME_BYTES} bytes` : null;
};

/** Reported once, however many descriptors are refused. */
const sayFull = (store: Store, worker: Worker, reason: string, now: number): void => {
  if (store.descriptorStore.isFull || store.core.service.phase.kind === "stopping") return;
  saveDescriptorStore(store, { ...store.descriptorStore, isFull: true });
  recordEvent(store, { ...named(worker), kind: LOST, cause: "full", reason }, now);
};

const LOST = "descriptorsLost";
const named = ({ id, pid }: Worker) => ({ worker: id, pid });

/** Limit of reports, because a server may hand over a thousand connections at once. */
const REPORT_LIMIT = { most: 3, perMs: 10_000 };

const reportStored = (
  store: Store,
  worker: Worker,
  { name, count }: { readonly name: string; readonly count: number },
  now: number,
): void => {
  if (count === 0) return;
  const { telling: limits = {} } = store.descriptorStore;
  const { suppressed, next } = limitRate(limits.stored?.[worker.id], now, REPORT_LIMIT, count);
  const stored = { ...limits.stored, [worker.id]: { ...next, name } };
  saveDescriptorStore(store, { ...store.descriptorStore, telling: { ...limits, stored } });
  if (suppressed === null) return;
  recordEvent(store, { ...named(worker), kind: "descriptorsStored", name, count: count + suppressed }, now);
};

const reportFailed = (store: Store, now: number, loss: (more: number) => DescriptorsLost): void => {
  const { telling: limits = {} } = store.descriptorStore;
  const { suppressed, next } = limitRate(limits.failed, now, REPORT_LIMIT);
  saveDescriptorStore(store, { ...store.descriptorStore, telling: { ...limits, failed: next } });
  if (suppressed !== null) recordEvent(store, loss(suppressed), now);
};

type Numbered = { readonly number: string; readonly name: string; readonly poll: boolean };

/**
 * Takes a descriptor from the sender, which named its number. The sender waits for the answer before it closes its own.
 */
const storeNumber = (store: Store, worker: Worker, { number, name, poll }: Numbered, event: Datagram): void => {
  const isNumber = /^\d{1,7}$/.test(number);
  const obstacle = isNumber ? (whyNotStored(store, worker, name) ?? whyInVain(store, worker)) : "it is not a number";
  if (obstacle !== null) return answer(store, worker, number, obstacle);
  const startTime = event.pid === worker.pid ? worker.startTime : startTimeOf(store, event.pid);
  if (!usersOf(store, worker).includes(event.uid))
    return answer(store, worker, number, `process ${event.pid} belongs to user ${event.uid}`);
  if (startTime === null) return answer(store, worker, number, `process ${event.pid} has exited`);
  const fd = Number(number);
  const handle = add(store, worker, name, { kind: "taking", fd, poll });
  // With the ids at the time of the request: a process that has since become another user's, by a set-id program, is
  // refused.
  const { pid, uid, gid } = event;
  store.batch.command({ kind: "takeDescriptor", handle, pid, startTime, fd, uid, gid });
};

const startTimeOf = ({ platform }: Store, pid: number): number | null =>
  platform.processes.facts(pid)?.startTime ?? null;

/** A worker that hands over a client's connection must know that another worker will serve it. */
const whyInVain = ({ core, descriptorStore }: Store, { id }: Worker): string | null =>
  willStart(core) || descriptorStore.asking.some((later) => later > id)
    ? null
    : "no later worker will start that could take it over (-hand-over)";

/** Tells the sender of a number that crank has the descriptor now, or why not. */
const answer = (store: Store, worker: Worker, number: string, refused: string | null): void => {
  const result = refused === null ? "FDSTORED=1" : `FDREFUSED=${refused}`;
  const bytes = `${result}\nFDNUMBER=${number.slice(0, 16)}`;
  store.batch.command({ kind: "sendDatagram", handle: 0, worker: worker.id, bytes, handles: [] });
};

/** A running worker wants stored descriptors, now or later. It gets one answer per request. */
const ask = (store: Store, worker: Worker): void => {
  const { descriptorStore: now } = store;
  if (worker.kind === "stopping" || now.asking.includes(worker.id)) return;
  saveDescriptorStore(store, { ...now, asking: [...now.asking, worker.id] });
};

/** Sends kept descriptors to the workers that asked, if they are newer than the worker that stored them. */
const serveAsking = (store: Store): void => {
  for (const id of store.descriptorStore.asking) {
    const mine = [...store.stored.values()].filter(({ place: state, from }) => state.kind === "kept" && from < id);
    const sent = mine.slice(0, MOST_AT_ONCE);
    if (sent.length === 0) continue;
    for (const stored of sent) saveStored(store, { ...stored, place: { kind: "sent", to: id } });
    const names = sent.map(({ name }) => name).join(":");
    const bytes = `FDNAMES=${names}\nFDLEFT=${mine.length - sent.length}`;
    store.batch.command({ kind: "sendDescriptors", worker: id, bytes, handles: sent.map(({ handle }) => handle) });
    saveDescriptorStore(store, {
      ...store.descriptorStore,
      asking: store.descriptorStore.asking.filter((other) => other !== id),
    });
  }
};

/** A descriptor that was named by its number was taken. */
export const atTaken = (store: Store, stored: StoredDescriptor, now: number): void => {
  const { handle, place: state, from, name } = stored;
  if (state.kind !== "taking") return;
  store.batch.command({ kind: "storeHandle", handle, poll: state.poll ? 1 : 0 });
  saveStored(store, { ...stored, place: { kind: "kept" } });
  const worker = findWorker(store.core.workers, from);
  if (worker) {
    answer(store, worker, String(state.fd), null);
    reportStored(store, worker, { name, count: 1 }, now);
  }
  serveAsking(store);
};

/** The keeper failed at a command about a stored descriptor. False: the failure is about something else. */
export const atStoreFailure = (store: Store, event: EventOf<"failed">): boolean => {
  if (event.command === COMMANDS.sendDescriptors.code) return keepUnsent(store, event);
  if (event.command === COMMANDS.sendDatagram.code && findWorker(store.core.workers, event.id) !== undefined)
    return true;
  const stored = store.stored.get(event.id);
  if (!stored) return event.command === COMMANDS.storeHandle.code;
  const worker = findWorker(store.core.workers, stored.from);
  const reason = whyNotTaken(event);
  forgetStored(store, event.id);
  if (event.command === COMMANDS.storeHandle.code) store.batch.command({ kind: "closeHandle", handle: event.id });
  if (worker && stored.place.kind === "taking") answer(store, worker, String(stored.place.fd), reason);
  else {
    const { name, from } = stored;
    reportFailed(store, event.deliveredAt, (more) => ({
      kind: LOST,
      cause: "failed",
      worker: from,
      name,
      reason,
      more,
    }));
  }
  return true;
};

/** Explains the keeper's errors about a descriptor that was to be stored or taken. */
const whyNotTaken = ({ command, errno, step }: EventOf<"failed">): string => {
  if (command !== COMMANDS.takeDescriptor.code) return describeErrno(errno);
  if (errno === EBADF) return "it is not open";
  if (errno === EXDEV) return "it is open on a device, or on a file system whose close can block";
  if (errno === EPERM && step === "process") return "the process runs a set-id program";
  if (errno === EPERM)
    return "the kernel denies its user access to the process: a set-id program, not dumpable, or Yama (kernel.yama.ptrace_scope)";
  return describeErrno(errno);
};
const [EPERM, EXDEV] = [1, 18];

/** They could not be sent, so they are kept for the next worker. */
const keepUnsent = (store: Store, { id, errno }: EventOf<"failed">): boolean => {
  for (const stored of sentTo(store, id)) saveStored(store, { ...stored, place: { kind: "kept" } });
  log(store, "warning", `Worker ${id} could not be sent stored descriptors; they stay stored: ${describeErrno(errno)}`);
  return true;
};

const sentTo = (store: Store, worker: number): StoredDescriptor[] =>
  [...store.stored.values()].filter(({ place: state }) => state.kind === "sent" && state.to === worker);

/** The worker has received them. */
export const atDescriptorsSent = (store: Store, { worker, deliveredAt }: EventOf<"descriptorsSent">): void => {
  const sent = sentTo(store, worker);
  for (const { handle } of sent) forgetStored(store, handle);
  recordEvent(store, { kind: "descriptorsGiven", worker, count: sent.length, way: "sent" }, deliveredAt);
};

/** The peer of a stored descriptor has hung up. */
export const atHungUp = (store: Store, { handle, deliveredAt }: EventOf<"hungUp">): void => {
  const stored = store.stored.get(handle);
  if (!stored) return;
  dropStored(store, handle);
  const { telling: limits = {} } = store.descriptorStore;
  const { suppressed, next } = limitRate(limits.peers, deliveredAt, REPORT_LIMIT);
  saveDescriptorStore(store, { ...store.descriptorStore, telling: { ...limits, peers: next } });
  const { name, from: worker } = stored;
  if (suppressed !== null)
    recordEvent(store, { kind: LOST, cause: "peer", worker, name, more: suppressed }, deliveredAt);
};
