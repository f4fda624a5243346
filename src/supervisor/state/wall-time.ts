// Times as people read them: wall clock, in the local zone that the keeper reports.

import type { KeeperFacts } from "./keeper-facts.ts";

/** Seconds east of UTC at this wall clock time (ms). */
export const offsetAt = ({ zone }: Pick<KeeperFacts, "zone">, wallMs: number): number => {
  if (zone === undefined) return 0;
  return wallMs < zone.until * 1000 ? zone.offset : zone.nextOffset;
};

/**
 * Local time as in workers' lines: a date whose UTC fields are the local ones. The runtime is not used because it knows
 * fewer zones than the C library that stamps those lines: none given by a path or a POSIX rule.
 */
export const localDate = (facts: Pick<KeeperFacts, "zone">, wallMs: number): Date =>
  new Date(wallMs + offsetAt(facts, wallMs) * 1000);

/** `+05:30` */
export const offsetText = (offset: number): string => {
  const minutes = Math.trunc(Math.abs(offset) / 60);
  const two = (number: number): string => String(number).padStart(2, "0");
  return `${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
};

/**
 * A wall clock time as it is shown everywhere: ISO 8601, local, with the offset from UTC,
 * `2026-11-21T09:15:00.123+05:30`.
 */
export const isoTime = (facts: Pick<KeeperFacts, "zone">, wallMs: number): string => {
  const offset = Math.trunc(offsetAt(facts, wallMs) / 60) * 60;
  if (offset !== lastOffset) {
    lastOffset = offset;
    lastText = offsetText(offset);
  }
  return new Date(wallMs + offset * 1000).toISOString().slice(0, -1) + lastText;
};
/** It changes twice a year. */
let lastOffset = 0;
let lastText = "+00:00";

/**
 * A CLOCK_MONOTONIC time as wall clock, as `isoTime` writes it. Cached, because one time is often used several times.
 */
export const wallTime = (facts: KeeperFacts, monotonicMs: number): string => {
  const wallMs = monotonicMs + facts.realtimeOffset;
  if (wallMs !== madeFor) {
    made = isoTime(facts, wallMs);
    madeFor = wallMs;
  }
  return made;
};
let madeFor = Number.NaN;
let made = "";
