// Messages on a worker's notify socket (sd_notify(3)): a handler for each kind of notification.
import type { Worker } from "../../core/model/worker.ts";
import { findWorker } from "../../core/model/workers.ts";
import type { KeeperEvent } from "../../keeper/protocol.ts";
import { recordEvent } from "../events/supervisor-event.ts";
import { limitRate } from "../state/parts/rate-limit.ts";
import { rememberReport } from "../state/remember.ts";
import type { Memory } from "../state/store.ts";
import { takeStoreWords } from "../workers/notify/descriptor-requests.ts";
import { takeOddDatagram } from "../workers/notify/misunderstood.ts";
import {
  BY_PAIR,
  maySpeakFor,
  type Notification,
  parseNotification,
  type Words,
} from "../workers/notify/notification.ts";
import { takeOtherWords } from "../workers/notify/worker-report.ts";
import { takeReady } from "../workers/serving/serving.ts";
import { concernsStore } from "../workers/start/stored-descriptors.ts";
import { advanceLast } from "./apply-effects.ts";

type Datagram = Extract<KeeperEvent, { kind: "datagram" }>;
type Handled = Promise<void> | void;
/** The worker, and the datagram. */
type From = { readonly worker: Worker; readonly event: Datagram };
type Take<K extends Notification["kind"]> = (
  memory: Memory,
  from: From,
  notification: Extract<Notification, { kind: K }>,
) => Handled;

/** Handles one notification of a worker. */
export const takeNotification = (memory: Memory, event: Datagram): Handled => {
  const worker = findWorker(memory.core.workers, event.worker);
  if (!worker) return;
  const notification = parseNotification(event.bytes);
  // Narrowed by the key: the table has for each kind the handler of that kind.
  const take = ON_NOTIFICATION[notification.kind] as (
    memory: Memory,
    from: From,
    notification: Notification,
  ) => Handled;
  return take(memory, { worker, event }, notification);
};

const ON_NOTIFICATION: { readonly [K in Notification["kind"]]: Take<K> } = {
  // Everything before it has been handled. The descriptor that came with it is closed with the commit, and that is the
  // answer (sd_notify_barrier(3)).
  barrier: () => undefined,
  noAssignment: (memory, { worker, event }) => takeOddDatagram(memory, worker, event),
  ready: (memory, from, { words }) => ifAllowed(memory, from, words, takeJustReady),
  assignments: (memory, from, { words }) => ifAllowed(memory, from, words, takeAssignments),
};

/** Handles what the sender may say for the worker, and refuses the rest. */
const ifAllowed = (
  memory: Memory,
  from: From,
  words: Words,
  take: (memory: Memory, from: From, words: Words) => Handled,
): Handled => {
  const decide = (isAllowed: boolean): Handled => (isAllowed ? take(memory, from, words) : refuse(memory, from, words));
  const isAllowed = maySpeakFor(memory, from.worker, from.event);
  return typeof isAllowed === "boolean" ? decide(isAllowed) : isAllowed.then(decide);
};

/** The common case: READY=1 and nothing else. */
const takeJustReady = (memory: Memory, from: From, words: Words): Handled =>
  memory.reports.has(from.worker.id)
    ? takeAssignments(memory, from, words)
    : takeReady(memory, from.worker, readiness(from), (event) => advanceLast(memory, event));

const takeAssignments = (memory: Memory, from: From, words: Words): Handled => {
  const { worker, event } = from;
  if (concernsStore(words)) takeStoreWords(memory, worker, words, event);
  const waiting = words.get("READY") === "1" ? takeReady(memory, worker, readiness(from)) : undefined;
  if (!waiting) return takeOtherWords(memory, worker, words, event);
  return waiting.then(() => takeOtherWords(memory, worker, words, event));
};

const readiness = ({ event: { deliveredAt: now, happenedAt: at, source, pid } }: From) => ({
  now,
  at,
  sender: source === BY_PAIR ? null : pid,
});

const refuse = (memory: Memory, { worker: { id }, event }: From, words: Words): void => {
  const before = memory.reports.get(id) ?? {};
  const which = words.has("READY") ? "ready" : "others";
  const { suppressed, next } = limitRate(before.refused?.[which], event.deliveredAt, MOST_REFUSED);
  rememberReport(memory, id, { ...before, refused: { ...before.refused, [which]: next } });
  if (suppressed === null) return;
  const [first = ["", ""]] = which === "ready" ? [["READY", words.get("READY")]] : words;
  const { pid, uid, deliveredAt } = event;
  const quoted = first.join("=").slice(0, MOST_QUOTED);
  recordEvent(memory, { kind: "wordsRefused", worker: id, pid, uid, words: quoted, more: suppressed }, deliveredAt);
};
const MOST_QUOTED = 64;
/** For each worker, separately for READY=1 and for everything else. */
const MOST_REFUSED = { most: 5, perMs: 60_000 };
