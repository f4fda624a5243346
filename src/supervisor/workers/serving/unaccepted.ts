// A worker that holds the service's sockets and serves elsewhere: its clients get no answer. It is seen by where it listens
// besides, by connections that nothing accepts, and by what its threads wait for: looked at where a worker is not seen
// to accept at a glance (accepting.ts).
import { describeHappening, type Happening } from "../../../control/happenings.ts";
import type { Worker } from "../../../core/model/worker.ts";
import { giveHeldAnswers, warnHeldAnswers } from "../../control/replies.ts";
import { isFirst } from "../../events/once.ts";
import { happen } from "../../events/supervisor-event.ts";
import { SOCK_STREAM } from "../../os/sockaddr.ts";
import { type Look, type Memory, rememberLook } from "../../state/store.ts";
import { acceptingListeners, lookedAt } from "./accepting.ts";
import { addressesOf, type Elsewhere, elsewhere, lookAt, named } from "./held-sockets.ts";

/** How long after a look that leaves it open the next one follows, ms. */
const BETWEEN_LOOKS_MS = 250;
/** Of a server that is just busy, one look may find a connection that nothing has accepted yet. */
const LOOKS_WITH_WAITING = 2;

/** `sockets`: at which nothing is seen to accept. `idle`: all that the worker does is seen, and none of it is there. */
type Doubt = {
  readonly sockets: readonly string[];
  readonly listens: readonly string[];
  readonly waiting: number;
  readonly idle: boolean;
};

/** Looks whether a worker accepts. The last look decides. */
export const takeLook = async (memory: Memory, now: number): Promise<void> => {
  const { look } = memory;
  if (look === null) return;
  const worker = lookedAt(memory, look.generation);
  const doubt = worker ? await doubtOf(memory, worker) : null;
  const waited = doubt !== null && doubt.waiting > 0 ? look.waited + 1 : 0;
  if (doubt !== null && now < look.until)
    return rememberLook(memory, { ...look, at: Math.min(now + BETWEEN_LOOKS_MS, look.until), waited });
  rememberLook(memory, null);
  const isSure = doubt !== null && (doubt.idle || waited >= LOOKS_WITH_WAITING);
  if (worker && isSure) warn(memory, look, { worker, doubt, now });
  if (!memory.notes.hasUntold) giveHeldAnswers(memory);
};

type Warning = { readonly worker: Worker; readonly doubt: Doubt; readonly now: number };

const warn = (memory: Memory, { generation }: Look, { worker: { id, pid }, doubt, now }: Warning): void => {
  if (!isFirst(memory, "socketsUnaccepted", generation)) return;
  const { sockets, listens, waiting } = doubt;
  const happening: Happening = { kind: "socketsUnaccepted", worker: id, pid, sockets, listens, waiting };
  happen(memory, happening, now);
  warnHeldAnswers(memory, generation, describeHappening(happening));
};

/** null: it is seen to accept, or listens nowhere else, or not all of it can be seen. */
const doubtOf = async (memory: Memory, worker: Worker): Promise<Doubt | null> => {
  const { pid } = worker;
  const listeners = acceptingListeners(memory);
  if (pid === null || listeners.length === 0) return null;
  const processes = memory.platform.processTree;
  const tree = await lookAt(memory, worker, { processes, listeners, all: true });
  if (!tree?.isWhole) return null;
  const others = elsewhere(processes, tree.processes, listeners).filter((other) => isPublic(memory, other));
  if (others.length === 0) return null;
  const waits = tree.processes.map((process) => processes.waits(process.pid));
  const queues = processes.queues(pid, new Set(listeners.map(({ inode }) => inode)));
  const unaccepted = listeners.filter(({ inode }) => {
    const isHeld = tree.processes.some(({ inodes }) => inodes.has(inode));
    const isWatched = waits.some(({ watched }) => watched.has(inode));
    return isHeld && !isWatched && queues.get(inode)?.accepted === 0;
  });
  if (unaccepted.length === 0) return null;
  return {
    sockets: unaccepted.map(named),
    listens: addressesOf(others),
    waiting: unaccepted.reduce((sum, { inode }) => sum + (queues.get(inode)?.waiting ?? 0), 0),
    idle: waits.every(({ isWhole }) => isWhole),
  };
};

/** Not one of crank's own, and not for this machine alone, as what debuggers and metrics listen on is. */
const isPublic = (memory: Memory, { inode, bound: { type, at } }: Elsewhere): boolean => {
  if (type !== SOCK_STREAM || "path" in at || [...memory.inodes.values()].includes(inode)) return false;
  return !/^(127\.|::1$|::ffff:127\.)/.test(at.host);
};
