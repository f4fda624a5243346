// Whether a ready worker can serve: it has to hold the service's sockets, itself or in a process that it started. Most
// workers hold them at the given descriptors, which is one link of /proc each to check. Others are examined further
// (held-sockets.ts).
import type { WorkerReady } from "../../../core/model/events.ts";
import type { Own } from "../../../core/model/owner.ts";
import type { Spec } from "../../../core/model/spec.ts";
import type { SocketFinding, Worker, WorkerId } from "../../../core/model/worker.ts";
import { dueWorkers } from "../../../core/model/workers.ts";
import { type Listener, listenersOf } from "../../sockets/listeners.ts";
import type { Store } from "../../state/store.ts";
import { explain, judge } from "./held-sockets.ts";

type Handled = Promise<void> | void;
/** `sender`: the process that reported it; null: unknown, or irrelevant. */
type Readiness = Pick<WorkerReady, "now" | "at" | "sign"> & { readonly sender: number | null };

/** A worker reports readiness: passes it to the core by `take`, with what is wrong with its sockets. */
export const takeReady = (
  store: Store,
  worker: Worker,
  { sender, now, at, sign }: Readiness,
  take: (event: WorkerReady) => void = store.advance,
): Handled => {
  const advance = (sockets: SocketFinding | null): void => {
    const event: Own<WorkerReady> = { kind: "workerReady", worker: worker.id, now, at };
    if (sign !== undefined) event.sign = sign;
    if (sockets) event.sockets = sockets;
    take(event);
  };
  const spec = store.core.generations[worker.generation]?.spec;
  const counts = worker.kind === "starting" && spec?.readiness.kind !== "probe";
  if (!counts || holdsAll(store, worker, sender)) return advance(null);
  return judge(store, worker, sender).then(advance);
};

/** What is wrong with the sockets of a worker whose probe succeeded; null: nothing. */
export const whyNotServing = (store: Store, worker: Worker): Promise<SocketFinding | null> | null =>
  worker.kind !== "starting" || holdsAll(store, worker, null) ? null : judge(store, worker, null);

/** Whether the start deadline of a worker has passed. */
export const someAreDue = ({ core }: Store, now: number): boolean => {
  for (const worker of dueWorkers(core.workers, now)) if (isDue(worker, now)) return true;
  return false;
};

const isDue = (worker: Worker, now: number): boolean =>
  worker.kind === "starting" && worker.readyBy !== null && worker.readyBy <= now;

/** Passes a tick to the core, with what is wrong with the sockets of workers whose start deadline has passed. */
export const takeTick = async (store: Store, now: number): Promise<void> => {
  const sockets: Record<WorkerId, SocketFinding> = {};
  let examined = 0;
  for (const worker of dueWorkers(store.core.workers, now)) {
    if (!isDue(worker, now)) continue;
    const isReady = specOf(store, worker)?.readiness.kind === "delay";
    if (isReady && holdsAll(store, worker, null)) continue;
    // If many are late, examining the first of them is enough.
    if (!isReady && ++examined > MOST_EXAMINED) continue;
    const found = isReady ? await judge(store, worker, null) : await explain(store, worker);
    if (found) sockets[worker.id] = found;
  }
  store.advance({ kind: "tick", now, ...(Object.keys(sockets).length > 0 ? { sockets } : {}) });
};
const MOST_EXAMINED = 4;

const specOf = ({ core }: Store, { generation }: Worker): Spec | undefined => core.generations[generation]?.spec;

/**
 * Whether a worker holds all sockets at the descriptors that it was given. The process that reported for it is also
 * checked, in part.
 */
const holdsAll = (store: Store, worker: Worker, sender: number | null): boolean => {
  const { pid } = worker;
  if (pid === null || specOf(store, worker)?.socketsOptional === true) return true;
  const { platform } = store;
  const holds = (holder: number, { fd, inode }: Listener): boolean =>
    platform.descriptorTarget(holder, fd) === `socket:[${inode}]`;
  const listeners = listenersOf(store);
  if (!listeners.every((listener) => holds(pid, listener))) return false;
  const isOther = sender !== null && sender !== pid;
  return !isOther || listeners.length === 0 || listeners.some((listener) => holds(sender, listener));
};
