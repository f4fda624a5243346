// Parses a notification of a worker (sd_notify(3)), and decides whether its sender may speak for the worker.
import type { Worker } from "../../../core/model/worker.ts";
import type { KeeperEvent } from "../../../keeper/protocol.ts";
import type { Store } from "../../state/store.ts";
import { ancestryOf, isNamedBy, nameOfWorker, usersOf } from "./ownership.ts";

type Datagram = Extract<KeeperEvent, { kind: "datagram" }>;

const decoder = new TextDecoder();

/** A worker's states: of these the last one in a notification counts; of any other field the first. */
const STATES: readonly string[] = ["READY", "RELOADING", "STOPPING"];

/** The fields of a notification (NAME=VALUE), by name. */
export type NotifyFields = ReadonlyMap<string, string>;

/**
 * A notification. `ready`: READY=1 and nothing else, the most common one. `barrier`: must be alone. `noAssignment`:
 * without meaning.
 */
export type Notification =
  | { readonly kind: "barrier" }
  | { readonly kind: "noAssignment" }
  | { readonly kind: "ready"; readonly fields: NotifyFields }
  | { readonly kind: "assignments"; readonly fields: NotifyFields };

const JUST_READY: Notification = { kind: "ready", fields: new Map([["READY", "1"]]) };

/** Parses a notification. Lines that are not assignments are skipped. */
export const parseNotification = (bytes: Uint8Array): Notification => {
  const text = decoder.decode(bytes);
  if (text === "READY=1") return JUST_READY;
  const fields = assignmentsOf(text);
  if (fields.has("BARRIER")) return { kind: "barrier" };
  if (fields.size === 0) return { kind: "noAssignment" };
  return { kind: fields.size === 1 && fields.get("READY") === "1" ? "ready" : "assignments", fields };
};

const assignmentsOf = (text: string): NotifyFields => {
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

/** `datagram.source`: it came through the socket pair, whose other end only the worker was given. */
export const BY_PAIR = 0;

/**
 * Whether a datagram may speak for the worker on whose socket it arrived. Through the pair it may: only the worker can
 * have passed that on. Through the path it must come from the worker's user or root, and from one of the worker's
 * processes. If the sender has ended before it could be looked up, its user decides.
 */
export const maySpeakFor = (store: Store, worker: Worker, datagram: Datagram): boolean | Promise<boolean> => {
  if (datagram.source === BY_PAIR) return true;
  // A pid of 0 is a process in a namespace that is not visible here (pid_namespaces(7)).
  if (datagram.pid === 0) return false;
  if (worker.pid === null || datagram.pid === worker.pid) return true;
  const owner = store.core.generations[worker.generation]?.spec.user?.uid;
  if (owner !== undefined && datagram.uid !== owner && datagram.uid !== 0) return false;
  switch (ancestryOf(store, worker, datagram.pid)) {
    case "its own":
      return true;
    case "foreign":
      return false;
    case "gone":
    case "interrupted":
      return isOfItsUser(store, worker, datagram.uid);
    case "orphan":
      return isNamed(store, worker, datagram);
  }
};

const isOfItsUser = (store: Store, worker: Worker, uid: number): boolean =>
  uid === 0 || usersOf(store, worker).includes(uid);

/** An orphan is identified by its environment; one that has ended meanwhile by its user. */
const isNamed = async (store: Store, worker: Worker, { pid, uid }: Datagram): Promise<boolean> => {
  const processes = store.platform.processes;
  const environment = await processes.environment(pid);
  if (!isOfItsUser(store, worker, uid)) return false;
  return processes.facts(pid) === null || isNamedBy(environment, nameOfWorker(store, worker));
};
