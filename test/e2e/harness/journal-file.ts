// Writes journal files (docs/reference/keeper-protocol.md, "The journal"), so that tests can leave journals that no crank
// would have written.
import { crc32 } from "node:zlib";
import type { Journal } from "../../../src/keeper/journal.ts";

type Entries = Extract<Journal, { kind: "entries" }>;

const u32 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
  return bytes;
};
const u64 = (value: number): Buffer => u32(value % 2 ** 32, Math.floor(value / 2 ** 32));
const long = (bytes: Uint8Array): Buffer => Buffer.concat([u32(bytes.length), bytes]);
const text = (string: string): Buffer => long(Buffer.from(string));
const summed = (body: Buffer): Buffer => Buffer.concat([u32(body.length, crc32(body)), body]);

/** The file of a journal that holds these entries. */
export const journalFile = (
  { bootId, pid, entries }: Pick<Entries, "bootId" | "pid" | "entries">,
  version = 1,
): Buffer =>
  Buffer.concat([
    Buffer.from("crankjnl"),
    u32(version),
    summed(Buffer.concat([text(bootId), u32(pid), u64(1)])),
    summed(Buffer.concat([Buffer.from([4]), u64(7), u64(7)])),
    ...[...entries].map(([key, value]) => summed(Buffer.concat([Buffer.from([3]), text(key), long(value)]))),
  ]);

/** The entries with one of them changed as JSON. */
export const changed = (
  entries: ReadonlyMap<string, Uint8Array>,
  key: string,
  changes: Readonly<Record<string, unknown>>,
): Map<string, Uint8Array> => {
  const before = JSON.parse(new TextDecoder().decode(entries.get(key)));
  return new Map([...entries, [key, Buffer.from(JSON.stringify({ ...before, ...changes }))]]);
};
