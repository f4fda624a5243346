// A worker that holds the service's sockets and serves elsewhere: its clients get no answer. It is seen by where it listens
// besides, by connections that nothing accepts, and by what its threads wait for: looked at where a worker is not seen
// to accept at a glance (accepting.ts).
import { describeSupervisorEvent, type SupervisorEvent } from "../../../control/supervisor-events.ts";
import type { GenerationNumber, Worker } from "../../../core/model/worker.ts";
import { isFirst } from "../../events/once.ts";
import { recordEvent } from "../../events/supervisor-event.ts";
import { SOCK_STREAM } from "../../os/sockaddr.ts";
import { rememberLook } from "../../state/remember.ts";
import type { Memory } from "../../state/store.ts";
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

/** The looks at a generation are over. `warning`: what is wrong with it; null: nothing is known to be. */
export type LookEnd = { readonly generation: GenerationNumber; readonly warning: string | null };

/** Looks whether a worker accepts. The last look decides; null until then. */
export const takeLook = async (memory: Memory, now: number): Promise<LookEnd | null> => {
  const { look } = memory;
  if (look === null) return null;
  const worker = lookedAt(memory, look.generation);
  const doubt = worker ? await doubtOf(memory, worker) : null;
  const waited = doubt !== null && doubt.waiting > 0 ? look.waited + 1 : 0;
  if (doubt !== null && now < look.until) {
    rememberLook(memory, { ...look, at: Math.min(now + BETWEEN_LOOKS_MS, look.until), waited });
    return null;
  }
  rememberLook(memory, null);
  const isSure = doubt !== null && (doubt.idle || waited >= LOOKS_WITH_WAITING);
  const { generation } = look;
  return { generation, warning: worker && isSure ? warn(memory, generation, { worker, doubt, now }) : null };
};

type Warning = { readonly worker: Worker; readonly doubt: Doubt; readonly now: number };

/** The sentence, the first time. */
const warn = (
  memory: Memory,
  generation: GenerationNumber,
  { worker: { id, pid }, doubt, now }: Warning,
): string | null => {
  if (!isFirst(memory, "socketsUnaccepted", generation)) return null;
  const { sockets, listens, waiting } = doubt;
  const event: SupervisorEvent = { kind: "socketsUnaccepted", worker: id, pid, sockets, listens, waiting };
  recordEvent(memory, event, now);
  return describeSupervisorEvent(event);
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
