// What a worker says and crank does not understand: told once for a generation, in the log and in the events, since a program
// that is misunderstood usually waits for something.
import type { Worker } from "../../../core/model/worker.ts";
import { allWorkers } from "../../../core/model/workers.ts";
import type { KeeperEvent } from "../../../keeper/protocol.ts";
import { isFirst } from "../../events/once.ts";
import { recordEvent } from "../../events/supervisor-event.ts";
import type { Memory } from "../../state/store.ts";
import { maySpeakFor } from "./notification.ts";

type EventOf<K extends KeeperEvent["kind"]> = Extract<KeeperEvent, { kind: K }>;
type Channel = "notify" | "control";

const MOST_QUOTED = 64;
/** How far up the ancestors of a client are followed. */
const MOST_ANCESTORS = 16;

/** What systemd knows and crank has no use for (sd_notify(3)); what begins with X_ is for nobody. */
const PASSED_OVER: ReadonlySet<string> = new Set([
  ...["FDSTORE", "FDSTOREREMOVE", "FDNAME", "FDNUMBER", "FDPOLL", "BARRIER", "MONOTONIC_USEC", "NOTIFYACCESS"],
  ...["BUSERROR", "VARLINKERROR", "EXIT_STATUS", "MAINPIDFD", "MAINPIDFDID"],
]);
/** Whose only value is 1. */
const FLAGS: ReadonlySet<string> = new Set(["READY", "RELOADING", "STOPPING"]);

/** The first word of a notification that means nothing to crank; `known` are those that do. */
export const oddWord = (said: ReadonlyMap<string, string>, known: ReadonlySet<string>): string | null => {
  for (const [name, value] of said) {
    const isKnown = known.has(name)
      ? !FLAGS.has(name) || value === "1"
      : PASSED_OVER.has(name) || name.startsWith("X_");
    if (!isKnown) return `${name}=${value}`;
  }
  return null;
};

/** A datagram without a single assignment. */
export const takeOddDatagram = async (memory: Memory, worker: Worker, event: EventOf<"datagram">): Promise<void> => {
  const isMute = event.bytes.length === 0 || event.bytes.every((byte) => byte === NEWLINE);
  if (isMute || !(await maySpeakFor(memory, worker, event))) return;
  sayOnce(memory, worker, { channel: "notify", words: new TextDecoder().decode(event.bytes) }, event.deliveredAt);
};
const NEWLINE = 10;

/** A line on the control socket, if a worker or what it started says it. */
export const takeOddLine = (memory: Memory, event: EventOf<"line">): void => {
  const worker = workerOf(memory, event.pid);
  if (worker === null) return;
  const words = new TextDecoder().decode(event.bytes.subarray(0, 4 * MOST_QUOTED));
  sayOnce(memory, worker, { channel: "control", words }, event.deliveredAt);
};

/** Tells it, if nothing of the kind was told for this generation. */
export const sayOnce = (
  memory: Memory,
  worker: Worker,
  { channel, words }: { readonly channel: Channel; readonly words: string },
  now: number,
): void => {
  if (!isFirst(memory, `odd/${channel}`, worker.generation)) return;
  const { id, pid } = worker;
  const [line = ""] = words.slice(0, MOST_QUOTED).split("\n");
  recordEvent(memory, { kind: "wordsNotUnderstood", worker: id, pid, channel, words: line }, now);
};

const workerOf = ({ core, platform }: Memory, client: number): Worker | null => {
  const workers = new Map(allWorkers(core.workers).map((worker) => [worker.pid, worker] as const));
  for (let pid = client, step = 0; pid > 1 && step < MOST_ANCESTORS; step++) {
    const worker = workers.get(pid);
    if (worker) return worker;
    pid = platform.lineage(pid)?.parent ?? 0;
  }
  return null;
};
