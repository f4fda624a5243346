// Reading the journals of other keepers: complete, cut short anywhere, damaged anywhere, of a later version.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readJournal } from "../../../src/keeper/journal.ts";

const encoder = new TextEncoder();
const u32 = (value: number): number[] => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
const u64 = (value: number): number[] => [...u32(value >>> 0), ...u32(Math.floor(value / 2 ** 32))];
const text = (value: string): number[] => [...u32(encoder.encode(value).length), ...encoder.encode(value)];
const framed = (body: readonly number[]): number[] => [
  ...u32(body.length),
  ...u32(Bun.hash.crc32(new Uint8Array(body))),
  ...body,
];

const header = (version = 1): number[] => [
  ...encoder.encode("crankjnl"),
  ...u32(version),
  ...framed([...text("the-boot"), ...u32(4711), ...u64(2 ** 33 + 5)]),
];
const put = (key: string, value: string): number[] => [1, ...text(key), ...text(value)];
const remove = (key: string): number[] => [2, ...text(key)];
const batch = (number: number, changes: readonly number[][], commands: readonly number[][] = []): number[] =>
  framed([
    1,
    ...u64(number),
    ...u64(number * 10),
    ...u32(changes.length),
    ...changes.flat(),
    ...u32(commands.length),
    ...commands.flat(),
  ]);
const applied = (number: number): number[] => framed([2, ...u64(number)]);

const parts = [
  header(),
  framed([4, ...u64(0), ...u64(0)]),
  framed([3, ...text("old"), ...text("kept")]),
  batch(1, [put("one", "1"), put("two", "2")], [[40, ...u64(7)]]),
  applied(1),
  batch(
    2,
    [remove("one"), put("two", "zwei")],
    [
      [41, ...u64(7)],
      [51, ...u64(9)],
    ],
  ),
];
const whole = new Uint8Array(parts.flat());

const entriesOf = (bytes: Uint8Array): Record<string, string> => {
  const journal = readJournal(bytes);
  if (journal.kind !== "entries") throw new Error(journal.kind);
  return Object.fromEntries([...journal.entries].map(([key, value]) => [key, new TextDecoder().decode(value)]));
};

describe("a journal", () => {
  test("that is complete gives its entries and the commands that may not have been done", () => {
    expect(readJournal(whole)).toMatchObject({
      kind: "entries",
      bootId: "the-boot",
      pid: 4711,
      writtenAt: 2 ** 33 + 5,
      batch: 2,
      consumed: 20,
      torn: 0,
      unconfirmed: [
        { code: 41, id: 7 },
        { code: 51, id: 9 },
      ],
    });
    expect(entriesOf(whole)).toEqual({ old: "kept", two: "zwei" });
    const confirmed = readJournal(new Uint8Array([...whole, ...applied(2)]));
    expect(confirmed).toMatchObject({ unconfirmed: [] });
  });

  test("that is cut in its last record gives everything before it", () => {
    const last = parts.at(-1)?.length ?? 0;
    for (let lost = 1; lost < last; lost++) {
      const journal = readJournal(whole.subarray(0, whole.length - lost));
      expect(journal).toMatchObject({ kind: "entries", batch: 1, torn: last - lost, unconfirmed: [] });
    }
    expect(entriesOf(whole.subarray(0, whole.length - 1))).toEqual({ old: "kept", one: "1", two: "2" });
  });

  test("that is empty, of a later version or not a journal is reported as such", () => {
    expect(readJournal(new Uint8Array(0))).toEqual({ kind: "empty" });
    expect(readJournal(new Uint8Array(header(9)))).toEqual({ kind: "newer", version: 9 });
    expect(readJournal(encoder.encode("#!/bin/sh\n"))).toEqual({
      kind: "corrupt",
      reason: "it does not begin as a journal does",
    });
    expect(readJournal(whole.subarray(0, 15))).toEqual({ kind: "corrupt", reason: "its header is cut short" });
  });

  test("that is damaged in the middle is refused with the position", () => {
    const damaged = new Uint8Array(whole);
    const at = header().length + 10;
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    const journal = readJournal(damaged);
    expect(journal).toEqual({
      kind: "corrupt",
      reason: `the checksum of the record at byte ${header().length} is wrong`,
    });
  });

  test("never gives an entry that was not put, whichever byte is changed or lost", () => {
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, value, length) => {
        const damaged = new Uint8Array(whole);
        damaged[at] = value;
        const journal = readJournal(damaged.subarray(0, length));
        if (journal.kind !== "entries") return;
        const allowed = new Set(["old=kept", "one=1", "two=2", "two=zwei"]);
        for (const [key, bytes] of journal.entries)
          expect(allowed).toContain(`${key}=${new TextDecoder().decode(bytes)}`);
      }),
      { numRuns: 3000 },
    );
  });

  test("of any bytes is read or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(["entries", "empty", "newer", "corrupt"]).toContain(readJournal(bytes).kind);
        readJournal(new Uint8Array([...header(), ...framed([...bytes])]));
      }),
      { numRuns: 1000 },
    );
  });
});
