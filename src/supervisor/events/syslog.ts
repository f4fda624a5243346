// The system's log (syslog(3)): RFC 3164 datagrams to /dev/log, written by the keeper's output thread, which never
// waits for a reader. The path is resolved for each datagram, so a missing or restarted syslogd costs only the
// messages of that time.
//
// A front end that has a flag for it sets `settings.syslog`:
// - `carries: "everything"`: workers' lines (behind `settings.linePrefix`) and the program's own go to syslog, level
//   info, instead of to standard output or error;
// - `carries: "warnings"`: the program's own warnings and errors go there as well, each with its level.
// `program[PID]` is the tag. startup.ts routes output with `syslogRoute`, and log.ts takes its lines from `syslogLine`.

import type { Command } from "../../keeper/protocol.ts";
import { unixAddress } from "../os/sockaddr.ts";
import type { LogEntry } from "../state/front-end.ts";
import type { Settings } from "../state/settings.ts";
import type { Store } from "../state/store.ts";
import { localDate } from "../state/wall-time.ts";

const DEV_LOG = "/dev/log";
const DATAGRAMS = 1;
const TEXT = 0;

/** Facility daemon (3) in the upper bits, the level in the lower three (RFC 3164, 4.1.1). */
const DAEMON = 3 << 3;
const SEVERITY = { error: 3, warning: 4, info: 6, debug: 7 } as const;

/** The command that routes output to syslog; null if nothing is to go there. */
export const syslogRoute = (store: Store, settings: Settings): Command | null => {
  if (settings.syslog === null) return null;
  // Lines behind this header all have one level. Warnings and errors bring their own header.
  const header =
    settings.syslog.carries === "everything" ? `<${DAEMON | SEVERITY.info}>%T ${tag(store, settings)}: ` : "";
  return { kind: "routeOutput", format: TEXT, sink: DATAGRAMS, address: unixAddress(DEV_LOG), header };
};

/** What syslog gets of a log line, without a newline; null: nothing. */
export const syslogLine = (store: Store, { level, message, wallMs }: LogEntry): string | null => {
  const { settings } = store;
  if (!settings?.syslog) return null;
  if (settings.syslog.carries === "everything") return message;
  if (level !== "error" && level !== "warning") return null;
  return `<${DAEMON | SEVERITY[level]}>${syslogTime(store, wallMs)} ${tag(store, settings)}: ${message}`;
};

const tag = (store: Store, { program }: Settings): string => `${program}[${store.facts.pid}]`;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** `Jan  2 15:04:05`, local time (RFC 3164, 4.1.2). */
export const syslogTime = ({ facts }: Pick<Store, "facts">, wallMs: number): string => {
  const date = localDate(facts, wallMs);
  const day = String(date.getUTCDate()).padStart(2, " ");
  const [hours, minutes, seconds] = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map((number) =>
    String(number).padStart(2, "0"),
  );
  return `${MONTHS[date.getUTCMonth()]} ${day} ${hours}:${minutes}:${seconds}`;
};
