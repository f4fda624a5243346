// crankctl events and logs: commands that run until they are interrupted.
import { host } from "#host";
import type { Client, Notification } from "../../../control/client.ts";
import type { EventEntry, Notifications } from "../../../control/messages.ts";
import { UsageError } from "../../flags.ts";
import { escapeControls, escapeLine, safeJson } from "../../terminal.ts";
import { command, refuseOperands } from "../command.ts";
import type { Session } from "../session.ts";
import { describeEvent } from "./event-text.ts";
import { logTime } from "./service-time.ts";
import { describeGap, type Gap, gapBefore, parseSince, type Since, timeFor } from "./since.ts";

const FAILED = 1;

export const events = command({
  name: "events",
  summary: "show events as they happen",
  usage: "[flags]",
  about: ["Shows the events of the service, one per line, until it is interrupted."],
  examples: ["crankctl events", "crankctl events -once -since 15m"],
  flags: {
    from: {
      kind: "whole",
      argument: "SEQ",
      help: "begin with event number SEQ; 0 is the oldest that is kept (new events only)",
    },
    since: {
      kind: "text",
      argument: "WHEN",
      help: "begin with a number, a time (2026-01-31T12:00:00Z) or how long ago (90s, 15m, 2h, 1d)",
    },
    once: { kind: "switch", help: "show past events, from the oldest, -from or -since, and exit" },
  },
  placement: "anywhere",
  prepare: (flags, operands) => {
    refuseOperands(operands);
    if (flags.from !== undefined && flags.since !== undefined)
      throw new UsageError("-from: excludes -since. Omit one of them.");
    const oldest = flags.once === true ? "0" : undefined;
    const given = flags.since ?? (flags.from === undefined ? oldest : String(flags.from));
    const since = given === undefined ? null : parseSince(given, host.clock.wallNow());
    return (session) => streamEvents(session, since, flags.once === true ? "held" : "endless");
  },
});

/** Events are held back until the missing ones are known and reported. */
const streamEvents = (session: Session, since: Since | null, extent: "held" | "endless"): Promise<number> => {
  const held: EventEntry[] = [];
  let isBegun = false;
  return stream(session, {
    show: (notification) => {
      if (notification.method !== "event" && notification.method !== "happening") return null;
      if (isBegun) return eventLine(session, notification.params);
      held.push(notification.params);
      return null;
    },
    begin: async (client) => {
      const from = since === null ? {} : { from: since.kind === "seq" ? since.seq : 0 };
      const bounds = await client.call("events", { ...from, ...(extent === "endless" ? { follow: true } : {}) });
      // Answers keep their order: when this one has arrived, so have all events before it.
      await client.call("info", {});
      const [first] = held;
      const gap = since && gapBefore(since, bounds, first === undefined ? null : timeFor(since, first.time));
      if (gap) session.out.writeNow(gapLine(session, gap));
      const wanted = held.filter((entry) => since?.kind !== "time" || timeFor(since, entry.time) >= since.time);
      session.out.writeNow(wanted.map((entry) => eventLine(session, entry)).join(""));
      isBegun = true;
      return extent === "endless" ? "endless" : "done";
    },
  });
};

export const logs = command({
  name: "logs",
  summary: "show the workers' output",
  usage: "[flags]",
  about: ["Shows the last lines of the workers' output."],
  examples: ["crankctl logs -n 50", "crankctl logs -f -pid 4211"],
  flags: {
    f: { kind: "switch", help: "follow: show new lines until interrupted" },
    n: { kind: "whole", argument: "LINES", max: 10_000, help: "how many of the last lines (10)" },
    pid: { kind: "whole", argument: "PID", min: 1, max: 4_194_304, help: "only lines of the worker with this pid" },
  },
  placement: "anywhere",
  prepare: (flags, operands) => {
    refuseOperands(operands);
    const params = {
      ...(flags.f === true ? { follow: true } : {}),
      ...(flags.n === undefined ? {} : { lines: flags.n }),
      ...(flags.pid === undefined ? {} : { pid: flags.pid }),
    };
    return async (session) => {
      const isTerminal = session.out.isTerminal;
      const show = (line: string): string => (isTerminal || session.isStrangers ? escapeLine(line) : line);
      return stream(session, {
        show: (notification) => (notification.method === "log" ? logLine(session, notification.params, show) : null),
        begin: async (client) => {
          await client.call("logs", params);
          return "endless";
        },
      });
    };
  },
});

type Stream = {
  /** The line for a notification; null for one that is not shown. */
  readonly show: (notification: Notification) => string | null;
  /** Requests the stream. `endless`: until logEnd, or the end of the connection. */
  readonly begin: (client: Client) => Promise<"endless" | "done">;
};

/** Writes each line before the next one is read, so that a slow reader blocks crank's connection and does not fill our memory. */
const stream = async (session: Session, { show, begin }: Stream): Promise<number> => {
  let status = FAILED;
  let problem: unknown = null;
  const client = await session.connect((notification) => {
    if (notification.method === "logEnd") status = 0;
    try {
      session.out.writeNow(show(notification) ?? "");
    } catch (error) {
      problem = error;
    }
    if (!session.out.hasReader) status = 0;
    if (notification.method === "logEnd" || !session.out.hasReader || problem !== null) client.close();
  });
  try {
    if ((await begin(client)) === "done") return 0;
    await client.ended;
  } catch (error) {
    // Closing after a failed output aborts the call: report the failure of the output.
    if (problem === null) throw error;
  } finally {
    client.close();
  }
  if (problem !== null) throw problem;
  if (status !== 0) session.err.write("crank closed the connection\n");
  return status;
};

const eventLine = (session: Session, entry: EventEntry): string =>
  session.json ? `${safeJson(entry)}\n` : `${escapeControls(`${entry.time} ${entry.seq} ${describeEvent(entry)}`)}\n`;

const gapLine = (session: Session, gap: Gap): string =>
  session.json ? `${safeJson({ gap })}\n` : `${escapeLine(describeGap(gap))}\n`;

const logLine = (session: Session, line: Notifications["log"], show: (line: string) => string): string =>
  session.json
    ? `${safeJson(line)}\n`
    : `${escapeLine(`${logTime(line.time)} id=${line.worker} pid=${line.pid}`)} ${show(String(line.line))}\n`;
