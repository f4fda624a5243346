// Messages on a worker's notify socket (sd_notify(3)): a handler for each kind of notification.
import type { Worker } from "../../core/model/worker.ts";
import { findWorker } from "../../core/model/workers.ts";
import type { KeeperEvent } from "../../keeper/protocol.ts";
import { recordEvent } from "../events/supervisor-event.ts";
import { limitRate } from "../state/parts/rate-limit.ts";
import { saveReport } from "../state/save.ts";
import type { Store } from "../state/store.ts";
import { takeStoreRequests } from "../workers/notify/descriptor-requests.ts";
import { takeOddDatagram } from "../workers/notify/misunderstood.ts";
import {
  BY_PAIR,
  maySpeakFor,
  type Notification,
  type NotifyFields,
  parseNotification,
} from "../workers/notify/notification.ts";
import { takeOtherFields } from "../workers/notify/worker-report.ts";
import { takeReady } from "../workers/serving/serving.ts";
import { concernsStore } from "../workers/start/stored-descriptors.ts";
import { advanceLast } from "./apply-effects.ts";

type Datagram = Extract<KeeperEvent, { kind: "datagram" }>;
type Handled = Promise<void> | void;
/** The worker, and the datagram. */
type From = { readonly worker: Worker; readonly event: Datagram };
type Take<K extends Notification["kind"]> = (
  store: Store,
  from: From,
  notification: Extract<Notification, { kind: K }>,
) => Handled;

/** Handles one notification of a worker. */
export const takeNotification = (store: Store, event: Datagram): Handled => {
  const worker = findWorker(store.core.workers, event.worker);
  if (!worker) return;
  const notification = parseNotification(event.bytes);
  // Narrowed by the key: the table has for each kind the handler of that kind.
  const take = ON_NOTIFICATION[notification.kind] as (store: Store, from: From, notification: Notification) => Handled;
  return take(store, { worker, event }, notification);
};

const ON_NOTIFICATION: { readonly [K in Notification["kind"]]: Take<K> } = {
  // Everything before it has been handled. The descriptor that came with it is closed with the commit, and that is the
  // answer (sd_notify_barrier(3)).
  barrier: () => undefined,
  noAssignment: (store, { worker, event }) => takeOddDatagram(store, worker, event),
  ready: (store, from, { fields }) => ifAllowed(store, from, fields, takeJustReady),
  assignments: (store, from, { fields }) => ifAllowed(store, from, fields, takeAssignments),
};

/** Handles what the sender may say for the worker, and refuses the rest. */
const ifAllowed = (
  store: Store,
  from: From,
  fields: NotifyFields,
  take: (store: Store, from: From, fields: NotifyFields) => Handled,
): Handled => {
  const decide = (isAllowed: boolean): Handled => (isAllowed ? take(store, from, fields) : refuse(store, from, fields));
  const isAllowed = maySpeakFor(store, from.worker, from.event);
  return typeof isAllowed === "boolean" ? decide(isAllowed) : isAllowed.then(decide);
};

/** The common case: READY=1 and nothing else. */
const takeJustReady = (store: Store, from: From, fields: NotifyFields): Handled =>
  store.reports.has(from.worker.id)
    ? takeAssignments(store, from, fields)
    : takeReady(store, from.worker, readiness(from), (event) => advanceLast(store, event));

const takeAssignments = (store: Store, from: From, fields: NotifyFields): Handled => {
  const { worker, event } = from;
  if (concernsStore(fields)) takeStoreRequests(store, worker, fields, event);
  const waiting = fields.get("READY") === "1" ? takeReady(store, worker, readiness(from)) : undefined;
  if (!waiting) return takeOtherFields(store, worker, fields, event);
  return waiting.then(() => takeOtherFields(store, worker, fields, event));
};

const readiness = ({ event: { deliveredAt: now, happenedAt: at, source, pid } }: From) => ({
  now,
  at,
  sender: source === BY_PAIR ? null : pid,
});

const refuse = (store: Store, { worker: { id }, event }: From, fields: NotifyFields): void => {
  const before = store.reports.get(id) ?? {};
  const which = fields.has("READY") ? "ready" : "others";
  const { suppressed, next } = limitRate(before.refused?.[which], event.deliveredAt, MOST_REFUSED);
  saveReport(store, id, { ...before, refused: { ...before.refused, [which]: next } });
  if (suppressed === null) return;
  const [first = ["", ""]] = which === "ready" ? [["READY", fields.get("READY")]] : fields;
  const { pid, uid, deliveredAt } = event;
  const quoted = first.join("=").slice(0, MOST_QUOTED);
  recordEvent(store, { kind: "wordsRefused", worker: id, pid, uid, words: quoted, more: suppressed }, deliveredAt);
};
const MOST_QUOTED = 64;
/** For each worker, separately for READY=1 and for everything else. */
const MOST_REFUSED = { most: 5, perMs: 60_000 };
