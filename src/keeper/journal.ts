// Reads the journal file of a keeper that is gone. The format is the keeper's (docs/reference/keeper-protocol.md, "The
// journal"). A living keeper sends its entries in its hello instead.

/** A command in the journal's list of a batch: its code, and its worker, handle or connection. */
export type ListedCommand = { readonly code: number; readonly id: number };

export type Journal =
  | { readonly kind: "empty" }
  /** Its keeper continued without the disk, so this is not the last state. */
  | { readonly kind: "stale" }
  /** Written by a later crank. */
  | { readonly kind: "newer"; readonly version: number }
  /** `reason` completes "the journal is damaged: …". */
  | { readonly kind: "corrupt"; readonly reason: string }
  | {
      readonly kind: "entries";
      readonly bootId: string;
      /** The keeper that wrote it, and when that started (CLOCK_MONOTONIC ms of that boot). */
      readonly pid: number;
      readonly writtenAt: number;
      readonly entries: ReadonlyMap<string, Uint8Array>;
      /** The last batch: its number, the last event that it consumed. */
      readonly batch: number;
      readonly consumed: number;
      /** Commands of the last batch that may or may not have been carried out. */
      readonly unconfirmed: readonly ListedCommand[];
      /** The number of bytes of an incomplete record at the end. It never took effect. */
      readonly torn: number;
    };

const MAGIC = "crankjnl";
const STALE_MAGIC = "crankold";
const VERSION = 1;
const HEADER_BYTES = 20;
const RECORD_HEADER_BYTES = 8;
const RECORD = { batch: 1, applied: 2, entry: 3, numbers: 4 } as const;
const CHANGE = { put: 1, remove: 2 } as const;

/** Reads a journal file. Never throws: a damaged file is a value too. */
export const readJournal = (bytes: Uint8Array): Journal => {
  if (bytes.length === 0) return { kind: "empty" };
  try {
    return readFile(bytes);
  } catch (error) {
    if (error instanceof Damage) return { kind: "corrupt", reason: error.message };
    throw error;
  }
};

class Damage extends Error {}

type Contents = {
  readonly entries: Map<string, Uint8Array>;
  batch: number;
  consumed: number;
  unconfirmed: readonly ListedCommand[];
};

const readFile = (bytes: Uint8Array): Journal => {
  const start = new Cursor(bytes, "its header");
  const magic = new TextDecoder("latin1").decode(bytes.subarray(0, MAGIC.length));
  if (magic === STALE_MAGIC) return { kind: "stale" };
  if (!MAGIC.startsWith(magic.slice(0, bytes.length))) throw new Damage("it does not begin as a journal does");
  start.take(MAGIC.length);
  const version = start.u32();
  if (version > VERSION) return { kind: "newer", version };
  if (version < VERSION) throw new Damage(`its version is ${version}`);
  const length = start.u32();
  const sum = start.u32();
  const body = start.take(length);
  if (checksum(body) !== sum) throw new Damage("the checksum of its header is wrong");
  const header = new Cursor(body, "its header");
  const bootId = header.text();
  const pid = header.u32();
  const writtenAt = header.u64();
  const contents: Contents = { entries: new Map(), batch: 0, consumed: 0, unconfirmed: [] };
  const torn = readRecords(bytes, HEADER_BYTES + length, contents);
  return { kind: "entries", bootId, pid, writtenAt, torn, ...contents };
};

/** Applies all complete records. Returns the number of bytes after them. */
const readRecords = (bytes: Uint8Array, start: number, contents: Contents): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  while (bytes.length - at >= RECORD_HEADER_BYTES) {
    const length = view.getUint32(at, true);
    const end = at + RECORD_HEADER_BYTES + length;
    if (end > bytes.length) break;
    const body = bytes.subarray(at + RECORD_HEADER_BYTES, end);
    if (length === 0 || checksum(body) !== view.getUint32(at + 4, true)) {
      // A full disk or a crash of the machine can damage only the last record.
      if (end === bytes.length) break;
      throw new Damage(`the checksum of the record at byte ${at} is wrong`);
    }
    applyRecord(new Cursor(body, `the record at byte ${at}`), contents);
    at = end;
  }
  return bytes.length - at;
};

const applyRecord = (record: Cursor, contents: Contents): void => {
  const type = record.u8();
  switch (type) {
    case RECORD.numbers:
      contents.batch = record.u64();
      contents.consumed = record.u64();
      return;
    case RECORD.entry: {
      const key = record.text();
      contents.entries.set(key, record.bytes());
      return;
    }
    case RECORD.applied:
      if (record.u64() === contents.batch) contents.unconfirmed = [];
      return;
    case RECORD.batch:
      applyBatch(record, contents);
      return;
    default:
      throw new Damage(`${record.what} is of the unknown type ${type}`);
  }
};

const applyBatch = (record: Cursor, contents: Contents): void => {
  contents.batch = record.u64();
  contents.consumed = record.u64();
  for (let changes = record.u32(); changes > 0; changes--) {
    const change = record.u8();
    const key = record.text();
    if (change === CHANGE.put) contents.entries.set(key, record.bytes());
    else if (change === CHANGE.remove) contents.entries.delete(key);
    else throw new Damage(`${record.what} has the unknown change ${change}`);
  }
  const commands: ListedCommand[] = [];
  for (let remaining = record.u32(); remaining > 0; remaining--) commands.push({ code: record.u8(), id: record.u64() });
  contents.unconfirmed = commands;
};

const decoder = new TextDecoder();

/** Reads fields in order. Throws Damage if they end early. */
class Cursor {
  readonly what: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.what = what;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  take(count: number): Uint8Array {
    const at = this.#skip(count);
    return this.#bytes.subarray(at, at + count);
  }

  u8(): number {
    return this.#view.getUint8(this.#skip(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  u64(): number {
    const at = this.#skip(8);
    return this.#view.getUint32(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
  }

  text(): string {
    return decoder.decode(this.take(this.u32()));
  }

  /** A copy, so that the file's bytes can be freed. */
  bytes(): Uint8Array {
    return new Uint8Array(this.take(this.u32()));
  }

  #skip(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw new Damage(`${this.what} is cut short`);
    this.#at = at + count;
    return at;
  }
}

/** CRC-32 (ISO 3309, as in gzip), four bits at a time, with the table of keeper/journal/checksum.c. */
export const checksum = (bytes: Uint8Array): number => {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    value = (value >>> 4) ^ nibble(value);
    value = (value >>> 4) ^ nibble(value);
  }
  return ~value >>> 0;
};

const NIBBLES = Array.from({ length: 16 }, (_, start) => {
  let value = start;
  for (let bit = 0; bit < 4; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});
const nibble = (value: number): number => NIBBLES[value & 15] ?? 0;
