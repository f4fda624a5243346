// Detects a worker that holds the service's sockets but serves elsewhere, so that its clients get no answer. The signs:
// it listens elsewhere, connections are not accepted, and its threads do not wait for the sockets. Only for workers
// that the quick check does not see accept (accepting.ts).
import { describeSupervisorEvent } from "../../../control/supervisor-event-text.ts";
import type { SupervisorEvent } from "../../../control/supervisor-events.ts";
import type { GenerationNumber, Worker } from "../../../core/model/worker.ts";
import { isFirst } from "../../events/once-per-generation.ts";
import { recordEvent } from "../../events/supervisor-event.ts";
import { SOCK_STREAM } from "../../os/sockaddr.ts";
import { saveAcceptCheck } from "../../state/save.ts";
import type { Store } from "../../state/store.ts";
import { acceptingListeners, checkedWorker } from "./accepting.ts";
import { addressesOf, type Elsewhere, elsewhere, lookAt, named } from "./held-sockets.ts";

/** The time to the next look after one without a result, ms. */
const CHECK_EVERY_MS = 250;
/** A single look may find a connection that a busy server has not accepted yet. */
const CHECKS_WITH_WAITING = 2;

/**
 * `sockets`: those on which no process is seen to accept. `idle`: all that the worker waits for is visible, and these
 * sockets are not in it.
 */
type Doubt = {
  readonly sockets: readonly string[];
  readonly listens: readonly string[];
  readonly waiting: number;
  readonly idle: boolean;
};

/** The end of the looks at a generation. `warning`: what is wrong with it; null: nothing is known. */
export type AcceptResult = { readonly generation: GenerationNumber; readonly warning: string | null };

/** Looks whether a worker accepts. Returns null until the last look, which decides. */
export const checkAccepting = async (store: Store, now: number): Promise<AcceptResult | null> => {
  const { acceptCheck: check } = store;
  if (check === null) return null;
  const worker = checkedWorker(store, check.generation);
  const seen = worker ? await doubtOf(store, worker) : null;
  const doubt = seen === "unseen" ? null : seen;
  const waited = doubt !== null && doubt.waiting > 0 ? check.waited + 1 : 0;
  if (seen !== null && now < check.until) {
    saveAcceptCheck(store, { ...check, at: Math.min(now + CHECK_EVERY_MS, check.until), waited });
    return null;
  }
  saveAcceptCheck(store, null);
  const isSure = doubt !== null && (doubt.idle || waited >= CHECKS_WITH_WAITING);
  const { generation } = check;
  return { generation, warning: worker && isSure ? warn(store, generation, { worker, doubt, now }) : null };
};

type Warning = { readonly worker: Worker; readonly doubt: Doubt; readonly now: number };

/** Reports it once, and returns the sentence. */
const warn = (
  store: Store,
  generation: GenerationNumber,
  { worker: { id, pid }, doubt, now }: Warning,
): string | null => {
  if (!isFirst(store, "socketsUnaccepted", generation)) return null;
  const { sockets, listens, waiting } = doubt;
  const event: SupervisorEvent = { kind: "socketsUnaccepted", worker: id, pid, sockets, listens, waiting };
  recordEvent(store, event, now);
  return describeSupervisorEvent(event);
};

/**
 * null: it is seen to accept, or listens nowhere else. `unseen`: this look did not show everything, as on a machine with
 * many connections, whose tables change while they are read.
 */
const doubtOf = async (store: Store, worker: Worker): Promise<Doubt | "unseen" | null> => {
  const { pid } = worker;
  const listeners = acceptingListeners(store);
  if (pid === null || listeners.length === 0) return null;
  const processes = store.platform.processTree;
  const tree = await lookAt(store, worker, { processes, listeners, all: true });
  if (tree === null) return null;
  if (!tree.isWhole) return "unseen";
  const others = elsewhere(processes, tree.processes, listeners).filter((other) => isPublic(store, other));
  if (others.length === 0) return null;
  const waits = tree.processes.map((process) => processes.waits(process.pid));
  const queues = processes.queues(pid, new Set(listeners.map(({ inode }) => inode)));
  if (listeners.some(({ inode }) => !queues.has(inode))) return "unseen";
  const unaccepted = listeners.filter(({ inode }) => {
    const isHeld = tree.processes.some(({ inodes }) => inodes.has(inode));
    const isWatched = waits.some(({ watched }) => watched.has(inode));
    return isHeld && !isWatched && queues.get(inode)?.isAccepting === false;
  });
  if (unaccepted.length === 0) return null;
  return {
    sockets: unaccepted.map(named),
    listens: addressesOf(others),
    waiting: unaccepted.reduce((sum, { inode }) => sum + (queues.get(inode)?.waiting ?? 0), 0),
    idle: waits.every(({ isWhole }) => isWhole),
  };
};

/** Not one of crank's own sockets, and not on the loopback, where debuggers and metrics listen. */
const isPublic = (store: Store, { inode, bound: { type, at } }: Elsewhere): boolean => {
  if (type !== SOCK_STREAM || "path" in at || [...store.inodes.values()].includes(inode)) return false;
  return !/^(127\.|::1$|::ffff:127\.)/.test(at.host);
};
