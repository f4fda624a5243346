// The start of a list of events, and the gap before it.
import { expect, test } from "bun:test";
import { describeGap, gapBefore, parseSince, timeFor } from "../../src/commands/crankctl/streams/since.ts";
import { UsageError } from "../../src/commands/flags.ts";

const NOW = Date.parse("2026-02-03T04:05:06Z");

test.each([
  ["0", { kind: "seq", seq: 0 }],
  ["812", { kind: "seq", seq: 812 }],
  ["90s", { kind: "time", time: NOW - 90_000, isLocal: false }],
  ["15m", { kind: "time", time: NOW - 900_000, isLocal: false }],
  ["2h", { kind: "time", time: NOW - 7_200_000, isLocal: false }],
  ["1d", { kind: "time", time: NOW - 86_400_000, isLocal: false }],
  ["2026-01-31T12:00:00Z", { kind: "time", time: Date.parse("2026-01-31T12:00:00Z"), isLocal: false }],
  ["2026-01-31", { kind: "time", time: Date.parse("2026-01-31"), isLocal: true }],
  ["2026-01-31 12:00", { kind: "time", time: Date.parse("2026-01-31T12:00:00Z"), isLocal: true }],
  ["2026-01-31T12:00:00+05:30", { kind: "time", time: Date.parse("2026-01-31T06:30:00Z"), isLocal: false }],
] as const)("-since %s is understood", (text, since) => {
  expect(parseSince(text, NOW)).toEqual(since);
});

test.each(["", "-1", "yesterday", "5x", "1.5h", "2026-13-01"])("-since %j is refused", (text) => {
  expect(() => parseSince(text, NOW)).toThrow(UsageError);
});

test("a time without an offset is in the service's time zone", () => {
  const noon = parseSince("2026-01-31T12:00", NOW);
  expect(timeFor(noon, "2026-01-31T12:00:00.000+05:30")).toBe(Date.parse("2026-01-31T12:00:00Z"));
  expect(timeFor(parseSince("2026-01-31T12:00Z", NOW), "2026-01-31T12:00:00.000+05:30")).toBe(
    Date.parse("2026-01-31T06:30:00Z"),
  );
});

const BOUNDS = { first: 10, next: 20 };
test.each([
  [{ kind: "seq", seq: 0 }, null],
  [{ kind: "seq", seq: 10 }, null],
  [{ kind: "seq", seq: 20 }, null],
  [{ kind: "seq", seq: 4 }, "Events 4 to 9 are not kept here"],
  [{ kind: "seq", seq: 25 }, "Events 20 to 24 are not kept here"],
  [{ kind: "time", time: NOW + 1, isLocal: false }, null],
  [{ kind: "time", time: NOW - 1, isLocal: false }, "Events up to number 9 are not kept any more"],
] as const)("from %j on, what is missing is named", (since, sentence) => {
  const gap = gapBefore(since, BOUNDS, NOW);
  expect(gap && describeGap(gap)).toBe(sentence);
});
