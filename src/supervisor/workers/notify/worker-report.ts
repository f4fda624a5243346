// The fields of a notification other than READY=1, as systemd understands them (sd_notify(3)).

import { printable } from "../../../control/printable.ts";
import { describeErrno } from "../../../core/errno.ts";
import type { Worker } from "../../../core/model/worker.ts";
import { findWorker } from "../../../core/model/workers.ts";
import { latin1Of } from "../../../host/bytes.ts";
import type { KeeperEvent } from "../../../keeper/protocol.ts";
import { log } from "../../events/log.ts";
import { recordEvent } from "../../events/supervisor-event.ts";
import { limitRate } from "../../state/parts/rate-limit.ts";
import { saveReport } from "../../state/save.ts";
import type { Store, WorkerReport } from "../../state/store.ts";
import { wallTime } from "../../state/wall-time.ts";
import { mainProcess } from "./main-process.ts";
import { sayOnce, unknownField } from "./misunderstood.ts";
import type { NotifyFields } from "./notification.ts";

type EventOf<K extends KeeperEvent["kind"]> = Extract<KeeperEvent, { kind: K }>;

/** The value of a field, the worker, and the datagram. */
type Field = { readonly value: string; readonly worker: Worker; readonly event: EventOf<"datagram"> };
type Take = (store: Store, field: Field) => Promise<void> | void;

/** The longest status, in UTF-16 units; the rest is cut off. */
const MOST_STATUS = 512;
/**
 * How often a changing status is reported at most, ms. While a worker starts or stops, people may be waiting for it.
 * While it serves, its messages must not push out other events.
 */
const NOTE_EVERY_MS = { starting: 1000, ready: 60_000, stopping: 1000 } as const;
/** The longest time that is accepted, ms. */
const LONGEST_MS = 1e12;
/** The largest error number of the kernel (errno(3)). */
const MOST_ERRNO = 4095;

/** Handles the fields of one datagram, in the table's order. Those that are not in it are ignored. */
export const takeOtherFields = async (
  store: Store,
  worker: Worker,
  fields: NotifyFields,
  event: EventOf<"datagram">,
): Promise<void> => {
  for (const [name, take] of FIELDS) {
    const value = fields.get(name);
    if (value !== undefined) await take(store, { value, worker, event });
  }
  const odd = unknownField(fields, KNOWN);
  if (odd !== null) sayOnce(store, worker, { channel: "notify", text: odd }, event.deliveredAt);
};

const FIELDS: readonly (readonly [string, Take])[] = [
  ["MAINPID", (store, field) => takeMainPid(store, field)],
  ["RELOADING", (store, field) => takeReloading(store, field)],
  ["READY", (store, field) => takeReloaded(store, field)],
  ["STOPPING", (store, field) => takeStopping(store, field)],
  ["STATUS", (store, field) => takeStatus(store, field)],
  ["ERRNO", (store, field) => takeErrno(store, field)],
  ["EXTEND_TIMEOUT_USEC", (store, field) => takeExtension(store, field)],
  ["WATCHDOG_USEC", (store, field) => takePeriod(store, field)],
  ["WATCHDOG", (store, field) => takeTrigger(store, field)],
];

const KNOWN: ReadonlySet<string> = new Set(FIELDS.map(([name]) => name));

const reportOf = (store: Store, { worker }: Field): WorkerReport => store.reports.get(worker.id) ?? {};

const takeStatus = (store: Store, field: Field): void => {
  const { worker, event } = field;
  if (!isText(event.bytes, "STATUS="))
    return log(store, "debug", `Worker ${worker.id} sent a status that is not UTF-8; ignored`);
  // Escaped, so that it is harmless in a terminal, a log and a client's screen.
  const text = printable(field.value.slice(0, MOST_STATUS));
  const before = reportOf(store, field);
  if (text === (before.status ?? "")) return;
  const { notedAt, notedIn } = before;
  const isNoted =
    notedAt === undefined || notedIn !== worker.kind || event.deliveredAt >= notedAt + NOTE_EVERY_MS[worker.kind];
  const noted = isNoted ? { notedAt: event.deliveredAt, notedIn: worker.kind } : {};
  saveReport(store, worker.id, { ...before, status: text, ...noted });
  if (!isNoted) return;
  const { id, generation, pid } = worker;
  const status = { kind: "workerStatus", worker: id, generation, pid: pid ?? 0, status: text } as const;
  store.events.add(status, wallTime(store.facts, event.deliveredAt));
};

/** Whether the line with this beginning is UTF-8. */
const isText = (bytes: Uint8Array, beginning: string): boolean => {
  const lines = latin1Of(bytes).split("\n");
  const line = lines.find((text) => text.startsWith(beginning)) ?? "";
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(line, (character) => character.charCodeAt(0)));
    return true;
  } catch {
    return false;
  }
};

const takeErrno = (store: Store, field: Field): void => {
  const errno = wholeNumber(field.value);
  const before = reportOf(store, field);
  if (errno === null || errno > MOST_ERRNO || errno === before.errno) return;
  const { worker, event } = field;
  if (errno === 0) return saveReport(store, worker.id, { ...before, errno });
  const { suppressed, next } = limitRate(before.failures, event.deliveredAt, REPORT_LIMIT);
  saveReport(store, worker.id, { ...before, errno, failures: next });
  if (suppressed === null) return;
  const { id, pid } = worker;
  const reason = describeErrno(errno);
  recordEvent(store, { kind: "workerErrno", worker: id, pid, errno, reason, more: suppressed }, event.deliveredAt);
};

/** Limit of reports per worker, because a worker can cause them at will. */
const REPORT_LIMIT = { most: 5, perMs: 60_000 };

/** Until the next READY=1. The worker serves meanwhile. */
const takeReloading = (store: Store, field: Field): void => {
  if (field.value === "1") saveReport(store, field.worker.id, { ...reportOf(store, field), reloading: true });
};

const takeReloaded = (store: Store, field: Field): void => {
  const { reloading, ...others } = reportOf(store, field);
  if (reloading === true && field.value === "1") saveReport(store, field.worker.id, others);
};

/** The worker ends by itself, and has the same time for that as if it were stopped. */
const takeStopping = (store: Store, { value, worker, event }: Field): void => {
  if (value === "1") store.advance({ kind: "leaving", now: event.deliveredAt, worker: worker.id });
};

const takeExtension = (store: Store, { value, worker, event }: Field): void => {
  const byMs = milliseconds(value);
  if (byMs === null || byMs === 0) return;
  const until = event.happenedAt + Math.min(byMs, LONGEST_MS);
  store.advance({ kind: "extended", now: event.deliveredAt, worker: worker.id, until });
};

/** Changes the period of its watchdog, if it has one. */
const takePeriod = (store: Store, field: Field): void => {
  const { worker } = field;
  const period = milliseconds(field.value);
  const isWatched = store.core.generations[worker.generation]?.spec.liveness?.kind === "watchdog";
  if (period === null || period === 0 || !isWatched) return;
  const watchdogMs = Math.ceil(Math.min(period, MOST_PERIOD_MS));
  saveReport(store, worker.id, { ...reportOf(store, field), watchdogMs });
  if (findWorker(store.core.workers, worker.id)?.kind === "ready")
    store.batch.command({ kind: "watchdog", worker: worker.id, periodMs: watchdogMs });
};
/** The keeper's field for it has 32 bits. */
const MOST_PERIOD_MS = 0xffffffff;

/** The keeper handles WATCHDOG=1. With `trigger` a worker that found itself broken asks to be replaced. */
const takeTrigger = (store: Store, { value, worker, event }: Field): void => {
  if (value !== "trigger") return;
  const reason = { kind: "watchdog", afterMs: null } as const;
  store.advance({ kind: "evict", now: event.deliveredAt, worker: worker.id, reason });
};

const takeMainPid = async (store: Store, { value, worker, event }: Field): Promise<void> => {
  const pid = wholeNumber(value);
  if (pid === null || pid === worker.pid) return;
  const main = await mainProcess(store, worker, pid);
  if (typeof main === "string") {
    const before = store.reports.get(worker.id) ?? {};
    const { suppressed, next } = limitRate(before.mains, event.deliveredAt, REPORT_LIMIT);
    saveReport(store, worker.id, { ...before, mains: next });
    if (suppressed === null) return;
    const more = suppressed === 0 ? "" : `, and ${suppressed} more before it`;
    const message = `Worker ${worker.id} named process ${value} as its main process (MAINPID=): ${main}; ignored${more}`;
    return log(store, "warning", message);
  }
  store.batch.command({ kind: "followMain", worker: worker.id, pid, startTime: main.startTime });
};

/** The keeper could not watch the process that a worker named as its main process. */
export const atFollowFailure = (store: Store, { id, step, errno }: EventOf<"failed">): void =>
  log(
    store,
    "warning",
    `The main process that worker ${id} named (MAINPID=) cannot be watched: ${step}: ${describeErrno(errno)}; the main process does not change`,
  );

/** A worker's watchdog expired. */
export const atWatchdogExpired = (store: Store, event: EventOf<"watchdogExpired">): void => {
  const { worker, periodMs, strangers, stranger, deliveredAt } = event;
  if (findWorker(store.core.workers, worker)?.kind !== "ready") return;
  if (strangers > 0)
    recordEvent(store, { kind: "watchdogRefused", worker, times: strangers, pid: stranger }, deliveredAt);
  store.advance({ kind: "evict", now: deliveredAt, worker, reason: { kind: "watchdog", afterMs: periodMs } });
};

const wholeNumber = (text: string): number | null => {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : null;
};

/** Converts microseconds to ms. */
const milliseconds = (text: string): number | null => {
  if (!/^\d{1,20}$/.test(text)) return null;
  return Number(text) / 1000;
};
