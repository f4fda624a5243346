// The size of batches: none is larger than the keeper accepts, whatever is sent to however many clients.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CommandDecoder, encodeBatch, encodeCommands } from "../../../src/keeper/frames.ts";
import { LIMITS, type SentCommand } from "../../../src/keeper/protocol.ts";
import { type Batch, Supervised } from "../supervised.ts";

const COMMIT: SentCommand = { kind: "commit", consumed: 9, tickAt: 77 };
const COMMIT_BYTES = encodeCommands([COMMIT]).length;
const MIB = 1024 * 1024;

/** Commands of every size up to that of a whole frame. */
const commands: fc.Arbitrary<SentCommand> = fc
  .tuple(
    fc.constantFrom("put", "write", "log"),
    fc.oneof(fc.nat(100), fc.nat(7 * MIB), fc.constant(8 * MIB - 64)),
    fc.nat(9),
  )
  .map(([kind, size, number]): SentCommand => {
    const bytes = new Uint8Array(size);
    if (kind === "put") return { kind: "put", key: `key/${number}`, value: bytes };
    if (kind === "write") return { kind: "write", connection: number, bytes, close: 0 };
    return { kind: "log", sink: 2, bytes };
  });

/** The bytes as a keeper reads them: a list of batches, each without its commit. */
const heard = (parts: readonly Uint8Array[]) => {
  const decoder = new CommandDecoder();
  return parts.map((bytes) => decoder.push(bytes));
};

const shape = (command: { readonly kind: string; readonly bytes?: unknown; readonly value?: unknown }) => {
  const bytes = command.bytes ?? command.value;
  return { ...command, bytes: undefined, value: undefined, length: bytes instanceof Uint8Array ? bytes.length : 0 };
};

describe("a batch of any commands", () => {
  test("reaches the keeper completely and in order, in parts that the keeper accepts", () => {
    fc.assert(
      fc.property(fc.array(commands, { maxLength: 12 }), (list) => {
        const parts = encodeBatch([...list, COMMIT], 5);
        for (const bytes of parts) expect(bytes.length - COMMIT_BYTES).toBeLessThanOrEqual(LIMITS.batchBytes);
        const batches = heard(parts);
        for (const batch of batches.slice(0, -1))
          expect(batch.at(-1)).toEqual({ kind: "commit", consumed: 5, tickAt: 0 });
        expect(batches.at(-1)?.at(-1)).toEqual(COMMIT);
        expect(batches.flatMap((batch) => batch.slice(0, -1)).map(shape)).toEqual(list.map(shape));
      }),
      { numRuns: 40 },
    );
  });

  test("stays one batch if the keeper accepts it as one", () => {
    const room = LIMITS.batchBytes - COMMIT_BYTES;
    const half: SentCommand = { kind: "log", sink: 2, bytes: new Uint8Array(room / 2 - 10) };
    expect(encodeBatch([half, half, COMMIT], 0).length).toBe(1);
    expect(encodeBatch([half, half, half, COMMIT], 0).length).toBe(2);
  });
});

describe("a large deploy with many followers", () => {
  const FOLLOWERS = 200;
  const INSTANCES = 600;

  const followed = async (): Promise<Supervised> => {
    const service = new Supervised();
    await service.serve();
    for (let connection = 1; connection <= FOLLOWERS; connection++)
      await service.ask("events", { follow: true }, connection);
    await service.ask("run", { command: ["/bin/server"], instances: INSTANCES, ready: { kind: "delay", after: 1 } }, 1);
    for (const { worker } of service.commands("spawn"))
      await service.send({ kind: "spawned", worker, pid: 1000 + worker, startTime: worker });
    return service;
  };
  const told = (batches: readonly Batch[], connection: number): number[] =>
    batches
      .flat()
      .filter((command) => command.kind === "write" && command.connection === connection)
      .flatMap((command) =>
        command.kind === "write" ? [...String(command.bytes).matchAll(/"params":\{"seq":(\d+)/g)] : [],
      )
      .map(([, seq]) => Number(seq));
  const sizes = (batches: readonly Batch[]): number[] => batches.map((batch) => encodeCommands(batch).length);

  test("is sent to every follower once and in order, in batches far below the keeper's limit", async () => {
    const service = await followed();
    const batches = await service.tick(10);
    expect(batches.length).toBeGreaterThan(3);
    expect(Math.max(...sizes(batches))).toBeLessThan(LIMITS.batchBytes / 2);
    const seqs = told(batches, 1);
    expect(seqs.length).toBeGreaterThan(INSTANCES);
    expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index));
    expect(told(batches, FOLLOWERS)).toEqual(seqs);
  });

  test("is sent once, wherever the supervisor is killed between two batches", async () => {
    const whole = told(await (await followed()).tick(10), 7);
    for (const batchesLeft of [1, 2, 3]) {
      const service = await followed();
      const before = service.batches.length;
      service.batchesLeft = batchesLeft;
      await service.tick(10);
      service.batchesLeft = Number.POSITIVE_INFINITY;
      await service.start();
      expect(told(service.batches.slice(before), 7)).toEqual(whole);
    }
  });
});
