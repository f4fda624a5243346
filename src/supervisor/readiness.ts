// What a worker says on its notify socket (sd_notify(3)), and whether the one who said it may.
import type { Worker } from "../core/state.ts";
import type { KeeperEvent } from "../keeper/protocol.ts";
import type { Memory } from "./memory.ts";

type Datagram = Extract<KeeperEvent, { kind: "datagram" }>;

const decoder = new TextDecoder();
/** How far up a sender's ancestors are followed. */
const MAX_GENERATIONS = 64;

/** The assignments of a notification, in order. Anything that is not one is passed over. */
export const parseNotification = (bytes: Uint8Array): ReadonlyMap<string, string> => {
  const assignments = new Map<string, string>();
  for (const line of decoder.decode(bytes).split("\n")) {
    const text = line.trim();
    const equals = text.indexOf("=");
    if (equals > 0) assignments.set(text.slice(0, equals), text.slice(equals + 1));
  }
  return assignments;
};

/**
 * Whether a datagram may speak for the worker whose socket it came in on. Refused is only who is provably somebody else:
 * another user than the worker's (and not root), or a living process that does not descend from the worker.
 * Orphans of a worker are the keeper's children, so an ancestry that ends at the keeper proves nothing against them.
 */
export const maySpeakFor = (memory: Memory, worker: Worker, datagram: Datagram): boolean => {
  if (worker.pid === null || datagram.pid === worker.pid || datagram.pid === 0) return true;
  const owner = memory.core.generations[worker.generation]?.spec.user?.uid;
  if (owner !== undefined && datagram.uid !== owner && datagram.uid !== 0) return false;
  const others = new Set(Object.values(memory.core.workers).map((other) => other.pid));
  for (let pid = datagram.pid, step = 0; step < MAX_GENERATIONS; step++) {
    if (pid === worker.pid || pid === memory.facts.pid) return true;
    if (others.has(pid)) return false;
    if (pid <= 1) return isAdopted(memory, worker);
    const lineage = memory.platform.lineage(pid);
    if (!lineage) return step === 0;
    pid = lineage.parent;
  }
  return false;
};

/** Whoever an adopted worker leaves behind is init's child, not the keeper's: an ancestry that ends there proves nothing either. */
const isAdopted = (memory: Memory, { pid }: Worker): boolean => {
  const parent = pid === null ? undefined : memory.platform.lineage(pid)?.parent;
  return parent !== undefined && parent !== memory.facts.pid;
};
