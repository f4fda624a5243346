// Crank's own log: one line per message on stderr, written by the keeper with the batch that it belongs to.
import { printable } from "../../control/printable.ts";
import type { Level, LogEntry } from "../state/front-end.ts";
import type { Store } from "../state/store.ts";
import { isoTime, localDate } from "../state/wall-time.ts";
import { syslogLine } from "./syslog.ts";

const SHOWN = {
  quiet: ["error"],
  normal: ["error", "warning", "info"],
  verbose: ["error", "warning", "info", "debug"],
} as const satisfies Record<string, readonly Level[]>;

const STDOUT = 1;
const STDERR = 2;
const SYSLOG = 3;

/** Logs a message in the format of the front end. */
export const log = (store: Store, level: Level, message: string): void => {
  const shown: readonly Level[] = SHOWN[store.settings?.verbosity ?? "normal"];
  if (!shown.includes(level)) return;
  const entry: LogEntry = { level, message: bounded(message), wallMs: store.platform.wallNow() };
  const forSyslog = syslogLine(store, entry);
  if (forSyslog !== null) store.batch.command({ kind: "log", sink: SYSLOG, bytes: printable(forSyslog) });
  if (store.settings?.syslog?.carries === "everything") return;
  const line = store.settings?.logFormat === "json" ? jsonLine(store, entry) : store.frontEnd.logLine(store, entry);
  store.batch.command({ kind: "log", sink: STDERR, bytes: `${priority(store, level)}${line}\n` });
};

/** The longest message, in UTF-16 units: messages quote texts from outside. */
const LONGEST_MESSAGE = 16 * 1024;
const bounded = (message: string): string =>
  message.length <= LONGEST_MESSAGE ? message : `${message.slice(0, LONGEST_MESSAGE)} … (${message.length} characters)`;

/** The priority prefix for systemd's journal (sd-daemon(3)), which is not shown. */
const priority = (store: Store, level: Level): string =>
  store.serviceManager.hasJournal ? `<${PRIORITIES[level]}>` : "";
const PRIORITIES = { error: 3, warning: 4, info: 6, debug: 7 } as const satisfies Record<Level, number>;

/**
 * A plain sentence without a time, on stderr or where the front end says: for a user who has just started the program.
 */
export const complain = (store: Store, message: string): void => {
  const line = `${priority(store, "error")}${printable(message)}\n`;
  const sink = store.frontEnd.setUpFailure?.sink === "stdout" ? STDOUT : STDERR;
  store.batch.command({ kind: "log", sink, bytes: line });
};

const jsonLine = (store: Store, { level, message, wallMs }: LogEntry): string =>
  JSON.stringify({
    time: isoTime(store.facts, wallMs),
    level,
    service: store.settings?.name ?? "",
    message,
  });

/** `2006/01/02 15:04:05`, local time, as Go's log package writes it. Cached for a second. */
export const goTime = ({ facts }: Pick<Store, "facts">, wallMs: number): string => {
  const second = Math.floor(wallMs / 1000);
  if (second !== madeFor) {
    const date = localDate(facts, wallMs);
    made = `${date.getUTCFullYear()}/${two(date.getUTCMonth() + 1)}/${two(date.getUTCDate())} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
    madeFor = second;
  }
  return made;
};
let madeFor = Number.NaN;
let made = "";

const two = (number: number): string => String(number).padStart(2, "0");
