// The words of a notification other than READY=1, as systemd understands them (sd_notify(3)).

import { printable } from "../../../control/printable.ts";
import { describeErrno } from "../../../core/errno.ts";
import type { Worker } from "../../../core/model/worker.ts";
import { findWorker } from "../../../core/model/workers.ts";
import { latin1Of } from "../../../host/bytes.ts";
import type { KeeperEvent } from "../../../keeper/protocol.ts";
import { log } from "../../events/log.ts";
import { recordEvent } from "../../events/supervisor-event.ts";
import { wallTime } from "../../state/facts.ts";
import { limitRate } from "../../state/parts/rate-limit.ts";
import { saveReport } from "../../state/save.ts";
import type { Store, WorkerReport } from "../../state/store.ts";
import { mainProcess } from "./main-process.ts";
import { oddWord, sayOnce } from "./misunderstood.ts";

type EventOf<K extends KeeperEvent["kind"]> = Extract<KeeperEvent, { kind: K }>;

/** The value of a word, the worker, and the datagram. */
type Word = { readonly value: string; readonly worker: Worker; readonly event: EventOf<"datagram"> };
type Take = (store: Store, word: Word) => Promise<void> | void;

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

/** Handles the words of one datagram, in the table's order. Words that are not in it are ignored. */
export const takeOtherWords = async (
  store: Store,
  worker: Worker,
  said: ReadonlyMap<string, string>,
  event: EventOf<"datagram">,
): Promise<void> => {
  for (const [name, take] of WORDS) {
    const value = said.get(name);
    if (value !== undefined) await take(store, { value, worker, event });
  }
  const odd = oddWord(said, KNOWN);
  if (odd !== null) sayOnce(store, worker, { channel: "notify", words: odd }, event.deliveredAt);
};

const WORDS: readonly (readonly [string, Take])[] = [
  ["MAINPID", (store, word) => takeMainPid(store, word)],
  ["RELOADING", (store, word) => takeReloading(store, word)],
  ["READY", (store, word) => takeReloaded(store, word)],
  ["STOPPING", (store, word) => takeStopping(store, word)],
  ["STATUS", (store, word) => takeStatus(store, word)],
  ["ERRNO", (store, word) => takeErrno(store, word)],
  ["EXTEND_TIMEOUT_USEC", (store, word) => takeExtension(store, word)],
  ["WATCHDOG_USEC", (store, word) => takePeriod(store, word)],
  ["WATCHDOG", (store, word) => takeTrigger(store, word)],
];

const KNOWN: ReadonlySet<string> = new Set(WORDS.map(([name]) => name));

const saidBy = (store: Store, { worker }: Word): WorkerReport => store.reports.get(worker.id) ?? {};

const takeStatus = (store: Store, word: Word): void => {
  const { worker, event } = word;
  if (!isText(event.bytes, "STATUS="))
    return log(store, "debug", `Worker ${worker.id} said a status that is not UTF-8; ignored`);
  // Escaped, so that it is harmless in a terminal, a log and a client's screen.
  const text = printable(word.value.slice(0, MOST_STATUS));
  const before = saidBy(store, word);
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

const takeErrno = (store: Store, word: Word): void => {
  const errno = wholeNumber(word.value);
  const before = saidBy(store, word);
  if (errno === null || errno > MOST_ERRNO || errno === before.errno) return;
  const { worker, event } = word;
  if (errno === 0) return saveReport(store, worker.id, { ...before, errno });
  const { suppressed, next } = limitRate(before.failures, event.deliveredAt, MOST_TOLD);
  saveReport(store, worker.id, { ...before, errno, failures: next });
  if (suppressed === null) return;
  const { id, pid } = worker;
  const reason = describeErrno(errno);
  recordEvent(store, { kind: "workerErrno", worker: id, pid, errno, reason, more: suppressed }, event.deliveredAt);
};

/** Limit of reports per worker, because a worker can cause them at will. */
const MOST_TOLD = { most: 5, perMs: 60_000 };

/** Until the next READY=1. The worker serves meanwhile. */
const takeReloading = (store: Store, word: Word): void => {
  if (word.value === "1") saveReport(store, word.worker.id, { ...saidBy(store, word), reloading: true });
};

const takeReloaded = (store: Store, word: Word): void => {
  const { reloading, ...others } = saidBy(store, word);
  if (reloading === true && word.value === "1") saveReport(store, word.worker.id, others);
};

/** The worker ends by itself, and has the same time for that as if it were stopped. */
const takeStopping = (store: Store, { value, worker, event }: Word): void => {
  if (value === "1") store.advance({ kind: "leaving", now: event.deliveredAt, worker: worker.id });
};

const takeExtension = (store: Store, { value, worker, event }: Word): void => {
  const byMs = milliseconds(value);
  if (byMs === null || byMs === 0) return;
  const until = event.happenedAt + Math.min(byMs, LONGEST_MS);
  store.advance({ kind: "extended", now: event.deliveredAt, worker: worker.id, until });
};

/** Changes the period of its watchdog, if it has one. */
const takePeriod = (store: Store, word: Word): void => {
  const { worker } = word;
  const period = milliseconds(word.value);
  const isWatched = store.core.generations[worker.generation]?.spec.liveness?.kind === "watchdog";
  if (period === null || period === 0 || !isWatched) return;
  const watchdogMs = Math.ceil(Math.min(period, MOST_PERIOD_MS));
  saveReport(store, worker.id, { ...saidBy(store, word), watchdogMs });
  if (findWorker(store.core.workers, worker.id)?.kind === "ready")
    store.batch.command({ kind: "watchdog", worker: worker.id, periodMs: watchdogMs });
};
/** The keeper's field for it has 32 bits. */
const MOST_PERIOD_MS = 0xffffffff;

/** The keeper handles WATCHDOG=1. With `trigger` a worker that found itself broken asks to be replaced. */
const takeTrigger = (store: Store, { value, worker, event }: Word): void => {
  if (value !== "trigger") return;
  const reason = { kind: "watchdog", afterMs: null } as const;
  store.advance({ kind: "evict", now: event.deliveredAt, worker: worker.id, reason });
};

const takeMainPid = async (store: Store, { value, worker, event }: Word): Promise<void> => {
  const pid = wholeNumber(value);
  if (pid === null || pid === worker.pid) return;
  const main = await mainProcess(store, worker, pid);
  if (typeof main === "string") {
    const before = store.reports.get(worker.id) ?? {};
    const { suppressed, next } = limitRate(before.mains, event.deliveredAt, MOST_TOLD);
    saveReport(store, worker.id, { ...before, mains: next });
    if (suppressed === null) return;
    const more = suppressed === 0 ? "" : `, and ${suppressed} more before it`;
    const message = `Worker ${worker.id} named process ${value} as its main one (MAINPID=): ${main}; ignored${more}`;
    return log(store, "warning", message);
  }
  store.batch.command({ kind: "followMain", worker: worker.id, pid, startTime: main.startTime });
};

/** The keeper could not watch the process that a worker named as its main process. */
export const atFollowFailure = (store: Store, { id, step, errno }: EventOf<"failed">): void =>
  log(
    store,
    "warning",
    `The main process that worker ${id} named (MAINPID=) cannot be watched: ${step}: ${describeErrno(errno)}; it stays as it was`,
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
