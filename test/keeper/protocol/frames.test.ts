// The frame encoder and decoder: the round trip of every command and message, however it is split, and what is refused.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FrameError } from "../../../src/keeper/frame-plans.ts";
import type { FrameDecoder } from "../../../src/keeper/frames.ts";
import {
  CommandDecoder,
  encodeCommand,
  encodeCommands,
  encodeMessages,
  MessageDecoder,
} from "../../../src/keeper/frames.ts";
import type { Command, FieldType, Message } from "../../../src/keeper/protocol.ts";
import { COMMANDS, FIRST_EVENT, LIMITS, MESSAGES } from "../../../src/keeper/protocol.ts";

const u64 = fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.constant(Number.MAX_SAFE_INTEGER));
const text = fc.string({ unit: "grapheme", maxLength: 20 });
const values: Readonly<Record<FieldType, fc.Arbitrary<unknown>>> = {
  u8: fc.nat(255),
  u32: fc.nat(0xffffffff),
  i32: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
  u64,
  text,
  bytes: fc.uint8Array({ maxLength: 40 }),
  texts: fc.array(text, { maxLength: 4 }),
  numbers: fc.array(u64, { maxLength: 6 }),
  pairs: fc.array(fc.tuple(text, text), { maxLength: 4 }),
};

type Table = Readonly<Record<string, { readonly code: number; readonly fields: Readonly<Record<string, FieldType>> }>>;
const EVENT_HEADER = { seq: "u64", happenedAt: "u64", deliveredAt: "u64" } as const;

const frames = (table: Table): fc.Arbitrary<unknown> =>
  fc.oneof(
    ...Object.entries(table).map(([kind, frame]) => {
      const header: Record<string, FieldType> = table === MESSAGES && frame.code >= FIRST_EVENT ? EVENT_HEADER : {};
      const fields = Object.entries({ ...header, ...frame.fields }).map(([name, type]) => [name, values[type]]);
      return fc.record({ kind: fc.constant(kind), ...Object.fromEntries(fields) });
    }),
  );
// The types that the tables generate equal their unions.
const commands = frames(COMMANDS) as fc.Arbitrary<Command>;
const messages = frames(MESSAGES) as fc.Arbitrary<Message>;

const splitAt = (bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] => {
  const places = [0, ...[...cuts].map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => bytes.slice(places[index], end));
};
const decodeAll = <Decoded>(decoder: FrameDecoder<Decoded>, parts: readonly Uint8Array[]): Decoded[] =>
  parts.flatMap((part) => [...decoder.push(part)]);

const faultOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return error instanceof FrameError ? error.code : String(error);
  }
  return "none";
};

describe("frames", () => {
  test("every command survives the round trip, however its bytes are split", () => {
    fc.assert(
      fc.property(fc.array(commands, { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 12 }), (list, cuts) => {
        expect(decodeAll(new CommandDecoder(), splitAt(encodeCommands(list), cuts))).toEqual(list);
      }),
      { numRuns: 400 },
    );
  });

  test("every message survives the round trip, however its bytes are split", () => {
    fc.assert(
      fc.property(fc.array(messages, { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 12 }), (list, cuts) => {
        expect(decodeAll(new MessageDecoder(), splitAt(encodeMessages(list), cuts))).toEqual(list);
      }),
      { numRuns: 400 },
    );
  });

  test("frames that arrive one byte at a time are decoded", () => {
    const list: Command[] = [
      { kind: "put", key: "a", value: new Uint8Array([1, 2, 3]) },
      { kind: "commit", consumed: 7, tickAt: 2 ** 40 },
    ];
    const parts = [...encodeCommands(list)].map((byte) => new Uint8Array([byte]));
    expect(decodeAll(new CommandDecoder(), parts)).toEqual(list);
  });

  test("a frame's bytes are those that the protocol defines", () => {
    const bytes = encodeCommand({ kind: "commit", consumed: 2 ** 32 + 5, tickAt: 1 });
    expect([...bytes]).toEqual([17, 0, 0, 0, 2, 5, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    expect([...encodeCommand({ kind: "remove", key: "é" })]).toEqual([7, 0, 0, 0, 11, 2, 0, 0, 0, 0xc3, 0xa9]);
    const base = { kind: "base", environment: [], cwd: "", umask: 0, nice: -2, limits: [] } as const;
    expect([...encodeCommand(base)].slice(-8)).toEqual([254, 255, 255, 255, 0, 0, 0, 0]);
  });

  test("decoded bytes do not change with the input buffer", () => {
    const bytes = Buffer.from(encodeCommand({ kind: "put", key: "k", value: new Uint8Array([9]) }));
    const [command] = new CommandDecoder().push(bytes);
    bytes.fill(0);
    expect(command).toEqual({ kind: "put", key: "k", value: new Uint8Array([9]) });
  });

  test("a number that does not fit its field is refused", () => {
    for (const consumed of [-1, 1.5, Number.NaN, 2 ** 53])
      expect(faultOf(() => encodeCommand({ kind: "commit", consumed, tickAt: 0 }))).toBe("badNumber");
    expect(faultOf(() => encodeCommand({ kind: "attach", protocol: 2 ** 32 }))).toBe("badNumber");
  });

  test("a frame longer than the limit is refused on both sides and not buffered", () => {
    const value = new Uint8Array(LIMITS.frameBytes);
    expect(faultOf(() => encodeCommand({ kind: "put", key: "k", value }))).toBe("tooLong");
    const decoder = new CommandDecoder();
    expect(faultOf(() => decoder.push(new Uint8Array([1, 0, 128, 0])))).toBe("tooLong");
    expect(encodeCommand({ kind: "idle", seen: 0 }).length).toBe(13);
  });

  test("inconsistent frames are refused", () => {
    const fault = (bytes: readonly number[]): string => faultOf(() => new CommandDecoder().push(new Uint8Array(bytes)));
    expect(fault([0, 0, 0, 0])).toBe("tooShort");
    expect(fault([1, 0, 0, 0, 255])).toBe("unknownCode");
    expect(fault([2, 0, 0, 0, 1, 1])).toBe("tooShort");
    expect(fault([6, 0, 0, 0, 1, 1, 0, 0, 0, 9])).toBe("leftOver");
    expect(fault([9, 0, 0, 0, 11, 200, 0, 0, 0, 1, 1, 1, 1])).toBe("tooShort");
    expect(fault([9, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 32, 0])).toBe("badNumber");
  });

  test("a count larger than its frame is refused before memory is allocated", () => {
    const spawned = encodeCommand({ kind: "setBase", env: [], unset: [] });
    spawned.set([255, 255, 255, 255], spawned.length - 4);
    expect(faultOf(() => new CommandDecoder().push(spawned))).toBe("tooShort");
  });

  test("any bytes are either decoded or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(...Object.values(COMMANDS)), (bytes, frame) => {
        const framed = new Uint8Array([bytes.length + 1, 0, 0, 0, frame.code, ...bytes]);
        expect(faultOf(() => new CommandDecoder().push(framed))).not.toContain(" ");
      }),
      { numRuns: 1000 },
    );
  });
});
