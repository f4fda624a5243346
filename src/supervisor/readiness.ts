// What a worker says on its notify socket (sd_notify(3)), and whether the one who said it may.
import type { Worker } from "../core/state.ts";
import type { KeeperEvent } from "../keeper/protocol.ts";
import type { Memory } from "./memory.ts";

type Datagram = Extract<KeeperEvent, { kind: "datagram" }>;

const decoder = new TextDecoder();
/** How far up a sender's ancestors are followed. */
const MAX_GENERATIONS = 64;
/** How often that begins anew. */
const MAX_WALKS = 8;

/** What a worker is doing: only the last of these in a notification counts; of anything else, the first. */
const STATES: readonly string[] = ["READY", "RELOADING", "STOPPING"];

/** What most workers say, and nothing else. */
const JUST_READY: ReadonlyMap<string, string> = new Map([["READY", "1"]]);

/** The assignments of a notification. Anything that is not one is passed over. */
export const parseNotification = (bytes: Uint8Array): ReadonlyMap<string, string> => {
  const said = decoder.decode(bytes);
  if (said === "READY=1") return JUST_READY;
  const assignments = new Map<string, string>();
  for (const line of said.split("\n")) {
    const text = line.trim();
    const equals = text.indexOf("=");
    if (equals <= 0) continue;
    const name = text.slice(0, equals);
    if (STATES.includes(name)) for (const state of STATES) assignments.delete(state);
    if (!assignments.has(name)) assignments.set(name, text.slice(equals + 1));
  }
  return assignments;
};

/** `datagram.source`: it came by the pair, whose other end the worker alone was given. */
const BY_PAIR = 0;

/**
 * Whether a datagram may speak for the worker whose socket it came in on. What came by the pair may: only the worker can have
 * handed that on. Of what came by the path, refused is only who is provably somebody else: another user than the worker's (and
 * not root), or a living process that does not descend from the worker. One that has gone before it could be looked up
 * counts if it was the worker's user's, or root's.
 */
export const maySpeakFor = (memory: Memory, worker: Worker, datagram: Datagram): boolean => {
  if (datagram.source === BY_PAIR) return true;
  // A process that has no number here lives in a namespace that nothing of crank's leads to (pid_namespaces(7)).
  if (datagram.pid === 0) return false;
  if (worker.pid === null || datagram.pid === worker.pid) return true;
  const owner = memory.core.generations[worker.generation]?.spec.user?.uid;
  if (owner !== undefined && datagram.uid !== owner && datagram.uid !== 0) return false;
  for (let walk = 0; walk < MAX_WALKS; walk++) {
    const found = lookUp(memory, worker, datagram.pid);
    if (found !== "interrupted")
      return found === "gone" ? isOfItsUser(memory, worker, datagram.uid) : found === "its own";
  }
  return isOfItsUser(memory, worker, datagram.uid);
};

/**
 * Follows a sender's ancestors up to the worker. Orphans of a worker are the keeper's children, so an ancestry that ends at
 * the keeper proves nothing against them. `interrupted`: an ancestor ended meanwhile, and its children have another parent.
 */
const lookUp = (memory: Memory, worker: Worker, sender: number): "its own" | "foreign" | "gone" | "interrupted" => {
  const others = new Set(Object.values(memory.core.workers).map((other) => other.pid));
  for (let pid = sender, step = 0; step < MAX_GENERATIONS; step++) {
    if (pid === worker.pid || pid === memory.facts.pid) return "its own";
    if (others.has(pid)) return "foreign";
    if (pid <= 1) return isAdopted(memory, worker) ? "its own" : "foreign";
    const lineage = memory.platform.lineage(pid);
    if (!lineage) return step === 0 ? "gone" : "interrupted";
    pid = lineage.parent;
  }
  return "foreign";
};

/** Also the user whom the worker has become by itself. */
const isOfItsUser = ({ core, platform }: Memory, { pid, generation }: Worker, uid: number): boolean => {
  const owner = core.generations[generation]?.spec.user?.uid ?? platform.uid;
  return uid === 0 || uid === owner || (pid !== null && platform.lineage(pid)?.uid === uid);
};

/** Whoever an adopted worker leaves behind is init's child, not the keeper's: an ancestry that ends there proves nothing either. */
const isAdopted = (memory: Memory, { pid }: Worker): boolean => {
  const parent = pid === null ? undefined : memory.platform.lineage(pid)?.parent;
  return parent !== undefined && parent !== memory.facts.pid;
};
