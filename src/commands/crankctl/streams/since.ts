// Where to begin with events: a number, a time, or how long ago; and which of them are not kept any more.
import { UsageError } from "../../flags.ts";

/** `seq`: from this number on. `time`: from this time on, ms since 1970, as the service's own clock shows it if `isLocal`. */
export type Since =
  | { readonly kind: "seq"; readonly seq: number }
  | { readonly kind: "time"; readonly time: number; readonly isLocal: boolean };

/** Missing numbers; `from` is null if their number is unknown. */
export type Gap = { readonly from: number | null; readonly to: number };

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `-since`: `812`, `10m`, `2026-01-31T12:00:00Z`. Throws UsageError. */
export const parseSince = (text: string, now: number): Since => {
  if (/^\d{1,15}$/.test(text)) return { kind: "seq", seq: Number(text) };
  const [, amount, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (amount !== undefined) return { kind: "time", time: now - Number(amount) * (UNITS[unit] ?? 0), isLocal: false };
  const [, date, clock = "T00:00", offset] = TIME.exec(text) ?? [];
  const time = date === undefined ? Number.NaN : Date.parse(`${date}${clock.replace(" ", "T")}${offset ?? "Z"}`);
  if (Number.isNaN(time))
    throw new UsageError(
      `-since ${JSON.stringify(text)}: must be an event's number, a time as in 2026-01-31T12:00:00Z, or a span as in 90s, 15m, 2h or 1d`,
    );
  return { kind: "time", time, isLocal: offset === undefined };
};
const TIME = /^(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?(Z|[+-]\d\d:\d\d)?$/;

/** An event's time, ISO 8601, for comparing it with `since`: without an offset it is what the service's clock showed. */
export const timeFor = (since: Since, time: string): number =>
  Date.parse(since.kind === "time" && since.isLocal ? time.replace(/(?:Z|[+-]\d\d:\d\d)$/, "Z") : time);

/** The events from `since` on that are missing, if crank keeps those from `first` to before `next`, the oldest from `firstTime`. */
export const gapBefore = (
  since: Since,
  { first, next }: { readonly first: number; readonly next: number },
  firstTime: number | null,
): Gap | null => {
  if (since.kind === "time")
    return first > 1 && firstTime !== null && firstTime > since.time ? { from: null, to: first - 1 } : null;
  // Number 0 stands for the oldest event.
  if (since.seq > next) return { from: next, to: since.seq - 1 };
  return since.seq > 0 && since.seq < first ? { from: since.seq, to: first - 1 } : null;
};

/** A gap as a sentence. */
export const describeGap = ({ from, to }: Gap): string =>
  from === null ? `Events up to number ${to} are not kept any more` : `Events ${from} to ${to} are not kept here`;
