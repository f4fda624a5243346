// Messages of workers that crank does not understand. Reported once per generation, in the log and as an event, because
// the program usually waits for an effect.
import type { Worker } from "../../../core/model/worker.ts";
import { allWorkers } from "../../../core/model/workers.ts";
import type { KeeperEvent } from "../../../keeper/protocol.ts";
import { isFirst } from "../../events/once-per-generation.ts";
import { recordEvent } from "../../events/supervisor-event.ts";
import type { Store } from "../../state/store.ts";
import { maySpeakFor, type NotifyFields } from "./notification.ts";

type EventOf<K extends KeeperEvent["kind"]> = Extract<KeeperEvent, { kind: K }>;
type Channel = "notify" | "control";

const MOST_QUOTED = 64;
/** How many ancestors of a client are followed. */
const MOST_ANCESTORS = 16;

/** Fields that systemd knows and crank does not use (sd_notify(3)). Those that begin with X_ are ignored too. */
const PASSED_OVER: ReadonlySet<string> = new Set([
  ...["FDSTORE", "FDSTOREREMOVE", "FDNAME", "FDNUMBER", "FDPOLL", "BARRIER", "MONOTONIC_USEC", "NOTIFYACCESS"],
  ...["BUSERROR", "VARLINKERROR", "EXIT_STATUS", "MAINPIDFD", "MAINPIDFDID"],
]);
/** Fields whose only value is 1. */
const FLAGS: ReadonlySet<string> = new Set(["READY", "RELOADING", "STOPPING"]);

/** The first field of a notification that crank does not understand. `known`: the names that it understands. */
export const unknownField = (fields: NotifyFields, known: ReadonlySet<string>): string | null => {
  for (const [name, value] of fields) {
    const isKnown = known.has(name)
      ? !FLAGS.has(name) || value === "1"
      : PASSED_OVER.has(name) || name.startsWith("X_");
    if (!isKnown) return `${name}=${value}`;
  }
  return null;
};

/** A datagram without any assignment. */
export const takeOddDatagram = async (store: Store, worker: Worker, event: EventOf<"datagram">): Promise<void> => {
  const isMute = event.bytes.length === 0 || event.bytes.every((byte) => byte === NEWLINE);
  if (isMute || !(await maySpeakFor(store, worker, event))) return;
  sayOnce(store, worker, { channel: "notify", text: new TextDecoder().decode(event.bytes) }, event.deliveredAt);
};
const NEWLINE = 10;

/** A line on the control socket, if its sender is a worker or was started by one. */
export const takeOddLine = (store: Store, event: EventOf<"line">): void => {
  const worker = workerOf(store, event.pid);
  if (worker === null) return;
  const text = new TextDecoder().decode(event.bytes.subarray(0, 4 * MOST_QUOTED));
  sayOnce(store, worker, { channel: "control", text }, event.deliveredAt);
};

/** Reports it, unless something of the kind was reported for this generation. */
export const sayOnce = (
  store: Store,
  worker: Worker,
  { channel, text }: { readonly channel: Channel; readonly text: string },
  now: number,
): void => {
  if (!isFirst(store, `odd/${channel}`, worker.generation)) return;
  const { id, pid } = worker;
  const [line = ""] = text.slice(0, MOST_QUOTED).split("\n");
  recordEvent(store, { kind: "wordsNotUnderstood", worker: id, pid, channel, words: line }, now);
};

const workerOf = ({ core, platform }: Store, client: number): Worker | null => {
  const workers = new Map(allWorkers(core.workers).map((worker) => [worker.pid, worker] as const));
  for (let pid = client, step = 0; pid > 1 && step < MOST_ANCESTORS; step++) {
    const worker = workers.get(pid);
    if (worker) return worker;
    pid = platform.lineage(pid)?.parent ?? 0;
  }
  return null;
};
