// What a worker says on its notify socket (sd_notify(3)), and whether the one who said it may.
import type { Worker } from "../../../core/model/worker.ts";
import type { KeeperEvent } from "../../../keeper/protocol.ts";
import type { Memory } from "../../state/store.ts";
import { ancestryOf, isNamedBy, nameOfWorker, usersOf } from "./ownership.ts";

type Datagram = Extract<KeeperEvent, { kind: "datagram" }>;

const decoder = new TextDecoder();

/** What a worker is doing: only the last of these in a notification counts; of anything else, the first. */
const STATES: readonly string[] = ["READY", "RELOADING", "STOPPING"];

/** The assignments of a notification, by their names. */
export type Words = ReadonlyMap<string, string>;

/**
 * A notification. `ready`: READY=1 and nothing else, as most workers say it. `barrier`: nothing else may stand beside it.
 * `noAssignment`: it means nothing.
 */
export type Notification =
  | { readonly kind: "barrier" | "noAssignment" }
  | { readonly kind: "ready" | "assignments"; readonly words: Words };

const JUST_READY: Notification = { kind: "ready", words: new Map([["READY", "1"]]) };

/** Reads a notification. Lines that are no assignments are passed over. */
export const parseNotification = (bytes: Uint8Array): Notification => {
  const text = decoder.decode(bytes);
  if (text === "READY=1") return JUST_READY;
  const words = assignmentsOf(text);
  if (words.has("BARRIER")) return { kind: "barrier" };
  if (words.size === 0) return { kind: "noAssignment" };
  return { kind: words.size === 1 && words.get("READY") === "1" ? "ready" : "assignments", words };
};

const assignmentsOf = (text: string): Words => {
  const assignments = new Map<string, string>();
  for (const line of text.split("\n")) {
    const trimmed = line.trim();
    const equals = trimmed.indexOf("=");
    if (equals <= 0) continue;
    const name = trimmed.slice(0, equals);
    if (STATES.includes(name)) for (const state of STATES) assignments.delete(state);
    if (!assignments.has(name)) assignments.set(name, trimmed.slice(equals + 1));
  }
  return assignments;
};

/** `datagram.source`: it came by the pair, whose other end the worker alone was given. */
export const BY_PAIR = 0;

/**
 * Whether a datagram may speak for the worker whose socket it came in on. What came by the pair may: only the worker can have
 * handed that on. What came by the path has to be its user's or root's, and from one of its own processes. A sender that has
 * gone before it could be looked up counts by its user.
 */
export const maySpeakFor = (memory: Memory, worker: Worker, datagram: Datagram): boolean | Promise<boolean> => {
  if (datagram.source === BY_PAIR) return true;
  // A process that has no number here lives in a namespace that nothing of crank's leads to (pid_namespaces(7)).
  if (datagram.pid === 0) return false;
  if (worker.pid === null || datagram.pid === worker.pid) return true;
  const owner = memory.core.generations[worker.generation]?.spec.user?.uid;
  if (owner !== undefined && datagram.uid !== owner && datagram.uid !== 0) return false;
  switch (ancestryOf(memory, worker, datagram.pid)) {
    case "its own":
      return true;
    case "foreign":
      return false;
    case "gone":
    case "interrupted":
      return isOfItsUser(memory, worker, datagram.uid);
    case "orphan":
      return isNamed(memory, worker, datagram);
  }
};

const isOfItsUser = (memory: Memory, worker: Worker, uid: number): boolean =>
  uid === 0 || usersOf(memory, worker).includes(uid);

/** An orphan is known by its environment; one that has gone meanwhile, by its user. */
const isNamed = async (memory: Memory, worker: Worker, { pid, uid }: Datagram): Promise<boolean> => {
  const processes = memory.platform.processes;
  const environment = await processes.environment(pid);
  if (!isOfItsUser(memory, worker, uid)) return false;
  return processes.facts(pid) === null || isNamedBy(environment, nameOfWorker(memory, worker));
};
