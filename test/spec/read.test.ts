// Values on a command line: by the kinds of the table, with units.
import { describe, expect, test } from "bun:test";
import { SPEC_FIELDS, type SpecFlag } from "../../src/spec/fields.ts";
import { readValue } from "../../src/spec/read.ts";

const read = (flag: SpecFlag, text: string): unknown => readValue(SPEC_FIELDS[flag], `-${flag}`, text);

describe("a duration", () => {
  test.each<[SpecFlag, string, unknown]>([
    ["min-ready", ".5", 500],
    ["stop", "4h", 14_400_000],
    ["stop", "0", undefined],
    ["start", "-1", undefined],
    ["deadline", "0ms", null],
    ["max-age", "7d", 604_800_000],
    ["probe-interval", "300ms", 300],
  ])("of -%s %s is %p", (flag, text, value) => {
    expect(read(flag, text)).toEqual(value);
  });

  test("is accepted with a unit wherever a value contains one", () => {
    expect(read("ready", "delay:300ms")).toEqual({ kind: "delay", after: 300 });
    expect(read("live", "watchdog:2m")).toEqual({ kind: "watchdog", period: 120_000 });
    expect(read("stop-steps", "USR2,TERM@500ms,KILL@5m")).toEqual([
      { signal: "USR2", after: 0 },
      { signal: "TERM", after: 500 },
      { signal: "KILL", after: 300_000 },
    ]);
    for (const text of ["delay:-1", "delay:1x", "delay:"]) expect(() => read("ready", text)).toThrow("must be notify");
    expect(() => read("stop-steps", "TERM,KILL@-1")).toThrow('"KILL@-1": not a step');
  });

  test("has bounds in seconds", () => {
    expect(() => read("probe-timeout", "2h")).toThrow("-probe-timeout 2h: must be at most 3600 s");
    expect(() => read("memory-interval", "300ms")).toThrow("-memory-interval 300ms: must be at least 1 s");
    expect(() => read("max-age", "999ms")).toThrow("-max-age 999ms: must be at least 1 second, because workers");
  });
});

test.each<[string, unknown]>([
  ["512", 536_870_912],
  ["512M", 536_870_912],
  ["1.5G", 1_610_612_736],
  ["64K", 65_536],
  ["1T", 2 ** 40],
  ["0", null],
  ["0G", null],
])("a size of %s is %p bytes", (text, bytes) => {
  expect(read("max-memory", text)).toBe(bytes);
});

test.each([
  ["1.5", '-max-memory "1.5": must be a whole number of MB, or a size such as 512M or 2G'],
  ["2g", "must be a whole number of MB"],
  ["", "must be a whole number of MB"],
  ["-1M", "-max-memory -1M: must not be negative"],
  ["2T", "-max-memory 2T: must be at most 1048576 MB"],
  ["1048577", "-max-memory 1048577: must be at most 1048576"],
])("a size of %p is refused: %s", (text, sentence) => {
  expect(() => read("max-memory", text)).toThrow(sentence);
});
