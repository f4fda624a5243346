// Frames to bytes and back, driven by the tables in protocol.ts: what the supervisor sends and hears, and (for the
// simulated keeper and the tests) the same seen from the keeper's side. Written to be quick with the JIT off.
import type { Command, FieldType, Message } from "./protocol.ts";
import { COMMANDS, FIRST_EVENT, LIMITS, MESSAGES } from "./protocol.ts";

/** What a frame breaks, when it cannot be written or read. */
export type FrameFault = "tooLong" | "tooShort" | "unknownCode" | "leftOver" | "badNumber";

/** A frame that cannot be sent, or that the other side should not have sent. Nothing after it can be trusted. */
export class FrameError extends Error {
  override readonly name = "FrameError";
  readonly code: FrameFault;
  constructor(code: FrameFault, message: string) {
    super(message);
    this.code = code;
  }
}

type Field = { readonly name: string; readonly type: FieldType };
type Plan = { readonly kind: string; readonly code: number; readonly fields: readonly Field[] };
type Value =
  | number
  | string
  | Uint8Array
  | readonly string[]
  | readonly number[]
  | readonly (readonly [string, string])[];

const TWO_TO_32 = 2 ** 32;
const HEADER_BYTES = 4;

const EVENT_HEADER: readonly Field[] = [
  { name: "seq", type: "u64" },
  { name: "happenedAt", type: "u64" },
  { name: "deliveredAt", type: "u64" },
];

const planOf = (
  kind: string,
  code: number,
  table: Readonly<Record<string, FieldType>>,
  header: readonly Field[],
): Plan => ({
  kind,
  code,
  fields: [...header, ...Object.entries(table).map(([name, type]) => ({ name, type }))],
});

const commandPlans = Object.entries(COMMANDS).map(([kind, frame]) => planOf(kind, frame.code, frame.fields, []));
const messagePlans = Object.entries(MESSAGES).map(([kind, frame]) =>
  planOf(kind, frame.code, frame.fields, frame.code >= FIRST_EVENT ? EVENT_HEADER : []),
);
const byKind = (plans: readonly Plan[]): ReadonlyMap<string, Plan> => new Map(plans.map((plan) => [plan.kind, plan]));
const byCode = (plans: readonly Plan[]): readonly (Plan | undefined)[] => {
  const table: (Plan | undefined)[] = new Array(256).fill(undefined);
  for (const plan of plans) table[plan.code] = plan;
  return table;
};

const commandsByKind = byKind(commandPlans);
const messagesByKind = byKind(messagePlans);
const commandsByCode = byCode(commandPlans);
const messagesByCode = byCode(messagePlans);

/** The bytes of commands, one frame after the other, in an array of their own. Throws FrameError for what has no place in a frame. */
export const encodeCommands = (commands: readonly Command[]): Uint8Array => encodeAll(commandsByKind, commands);
/** The bytes of one command. */
export const encodeCommand = (command: Command): Uint8Array => encodeAll(commandsByKind, [command]);
/** The bytes of messages, as a keeper sends them. */
export const encodeMessages = (messages: readonly Message[]): Uint8Array => encodeAll(messagesByKind, messages);

const encodeAll = (plans: ReadonlyMap<string, Plan>, frames: readonly { readonly kind: string }[]): Uint8Array => {
  writer.at = 0;
  for (const frame of frames) {
    const plan = plans.get(frame.kind);
    if (plan === undefined) throw new FrameError("unknownCode", `there is no frame named ${frame.kind}`);
    // The unions are derived from the tables that the plans are made of, so every field of the plan is there.
    writeFrame(plan, frame as unknown as Readonly<Record<string, Value>>);
  }
  const bytes = writer.bytes.slice(0, writer.at);
  if (writer.bytes.length > SPARE_BYTES) resetWriter();
  return bytes;
};

/** What the encoder keeps between calls; a larger buffer is let go after its batch. */
const SPARE_BYTES = 64 * 1024;
const encoder = new TextEncoder();
const writer = { bytes: new Uint8Array(4096), view: new DataView(new ArrayBuffer(0)), at: 0 };

const resetWriter = (size = 4096): void => {
  writer.bytes = new Uint8Array(size);
  writer.view = new DataView(writer.bytes.buffer);
};
resetWriter();

const reserve = (count: number): void => {
  const needed = writer.at + count;
  if (needed <= writer.bytes.length) return;
  const held = writer.bytes;
  resetWriter(Math.max(needed, held.length * 2));
  writer.bytes.set(held.subarray(0, writer.at));
};

const writeFrame = (plan: Plan, frame: Readonly<Record<string, Value>>): void => {
  const start = writer.at;
  reserve(HEADER_BYTES + 1);
  writer.at += HEADER_BYTES;
  writer.view.setUint8(writer.at++, plan.code);
  for (const field of plan.fields) writeField(plan, field, frame[field.name]);
  const length = writer.at - start - HEADER_BYTES;
  if (length > LIMITS.frameBytes)
    throw new FrameError(
      "tooLong",
      `${plan.kind} takes ${length} bytes, more than the ${LIMITS.frameBytes} of a frame`,
    );
  writer.view.setUint32(start, length, true);
};

// Each cast below is what the field's type in the table says of the value; protocol.ts derives the value's type from it.
const writeField = (plan: Plan, field: Field, value: Value | undefined): void => {
  switch (field.type) {
    case "u8":
    case "u32":
    case "i32":
    case "u64":
      writeNumber(plan, field, field.type, value as number);
      return;
    case "text":
      writeText(value as string);
      return;
    case "bytes":
      writeBytes(value as Uint8Array);
      return;
    case "texts":
      writeCount((value as readonly string[]).length);
      for (const text of value as readonly string[]) writeText(text);
      return;
    case "numbers":
      writeCount((value as readonly number[]).length);
      for (const item of value as readonly number[]) writeNumber(plan, field, "u64", item);
      return;
    case "pairs":
      writeCount((value as readonly (readonly [string, string])[]).length);
      for (const [first, second] of value as readonly (readonly [string, string])[]) {
        writeText(first);
        writeText(second);
      }
      return;
  }
};

const RANGES = {
  u8: { low: 0, high: 0xff },
  u32: { low: 0, high: 0xffffffff },
  i32: { low: -0x80000000, high: 0x7fffffff },
  u64: { low: 0, high: Number.MAX_SAFE_INTEGER },
} as const;

const writeNumber = (plan: Plan, field: Field, type: keyof typeof RANGES, value: number): void => {
  const range = RANGES[type];
  if (!Number.isInteger(value) || value < range.low || value > range.high)
    throw new FrameError("badNumber", `${plan.kind}.${field.name} cannot be ${value}: it is a ${type}`);
  reserve(8);
  const { view, at } = writer;
  if (type === "u8") {
    view.setUint8(at, value);
    writer.at += 1;
    return;
  }
  // Two's complement: setUint32 of a negative i32 writes the same bits as setInt32.
  view.setUint32(at, value % TWO_TO_32, true);
  writer.at += 4;
  if (type !== "u64") return;
  view.setUint32(at + 4, Math.floor(value / TWO_TO_32), true);
  writer.at += 4;
};

const writeCount = (count: number): void => {
  reserve(4);
  writer.view.setUint32(writer.at, count, true);
  writer.at += 4;
};

const writeText = (text: string): void => {
  // UTF-8 takes at most three bytes for each of a string's 16-bit units.
  reserve(4 + text.length * 3);
  const { written } = encoder.encodeInto(text, writer.bytes.subarray(writer.at + 4));
  writer.view.setUint32(writer.at, written, true);
  writer.at += 4 + written;
};

const writeBytes = (bytes: Uint8Array): void => {
  reserve(4 + bytes.length);
  writer.view.setUint32(writer.at, bytes.length, true);
  writer.bytes.set(bytes, writer.at + 4);
  writer.at += 4 + bytes.length;
};

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const NOTHING = new Uint8Array(0);
const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Turns what arrives, however it is split, into whole frames. */
export class FrameDecoder<Decoded> {
  readonly #plans: readonly (Plan | undefined)[];
  /** The start of a frame whose rest is not there yet: `#length` bytes of it. */
  #partial: Uint8Array = NOTHING;
  #length = 0;
  /** The bytes being read, where the frame in them ends, and how far it is read. */
  #bytes: Uint8Array = NOTHING;
  #view: DataView = viewOf(NOTHING);
  #end = 0;
  #at = 0;

  constructor(plans: readonly (Plan | undefined)[]) {
    this.#plans = plans;
  }

  /** Bytes held of a frame that is not complete. */
  get held(): number {
    return this.#length;
  }

  /** All frames that are complete with these bytes, in order. Throws FrameError; nothing can be read after that. */
  push(bytes: Uint8Array): readonly Decoded[] {
    const decoded: Decoded[] = [];
    let rest = bytes;
    while (this.#length > 0 && rest.length > 0) {
      rest = this.#complete(rest, decoded);
    }
    const used = this.#readWhole(rest, decoded);
    if (used < rest.length) this.#hold(rest.subarray(used));
    return decoded;
  }

  /** Adds to the held frame only what it lacks, so that no more than one frame is ever held; returns what is left. */
  #complete(bytes: Uint8Array, decoded: Decoded[]): Uint8Array {
    const lacks = this.#wanted() - this.#length;
    const taken = bytes.subarray(0, lacks);
    this.#hold(taken);
    if (this.#length === this.#wanted()) {
      this.#readWhole(this.#partial.subarray(0, this.#length), decoded);
      this.#length = 0;
      this.#partial = NOTHING;
    }
    return bytes.subarray(taken.length);
  }

  /** How many bytes have to be held before something can be done: the length, then the whole frame. */
  #wanted(): number {
    if (this.#length < HEADER_BYTES) return HEADER_BYTES;
    return HEADER_BYTES + checkedLength(viewOf(this.#partial).getUint32(0, true));
  }

  #hold(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#partial.length) {
      const grown = new Uint8Array(Math.max(needed, this.#partial.length * 2));
      grown.set(this.#partial.subarray(0, this.#length));
      this.#partial = grown;
    }
    this.#partial.set(bytes, this.#length);
    this.#length = needed;
  }

  /** Reads the frames that lie whole in `bytes`; returns how far. */
  #readWhole(bytes: Uint8Array, decoded: Decoded[]): number {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    let start = 0;
    while (bytes.length - start >= HEADER_BYTES) {
      const length = checkedLength(this.#view.getUint32(start, true));
      const end = start + HEADER_BYTES + length;
      if (end > bytes.length) break;
      this.#at = start + HEADER_BYTES;
      this.#end = end;
      decoded.push(this.#readFrame());
      start = end;
    }
    this.#bytes = NOTHING;
    return start;
  }

  #readFrame(): Decoded {
    const code = this.#view.getUint8(this.#at++);
    const plan = this.#plans[code];
    if (plan === undefined) throw new FrameError("unknownCode", `a frame with the unknown code ${code}`);
    const frame: Record<string, Value> = { kind: plan.kind };
    for (const field of plan.fields) frame[field.name] = this.#readField(field.type);
    if (this.#at !== this.#end)
      throw new FrameError("leftOver", `${plan.kind} is ${this.#end - this.#at} bytes longer than its fields`);
    // The plan is made of the table that the union is derived from.
    return frame as unknown as Decoded;
  }

  #readField(type: FieldType): Value {
    switch (type) {
      case "u8":
        return this.#view.getUint8(this.#advance(1));
      case "u32":
        return this.#readU32();
      case "i32":
        return this.#view.getInt32(this.#advance(4), true);
      case "u64":
        return this.#readU64();
      case "text":
        return this.#readText();
      case "bytes":
        return this.#readBytes();
      case "texts":
        return this.#readMany(4, () => this.#readText());
      case "numbers":
        return this.#readMany(8, () => this.#readU64());
      case "pairs":
        return this.#readMany(8, () => [this.#readText(), this.#readText()] as const);
    }
  }

  /** Steps over `count` bytes of the frame and says where they are. */
  #advance(count: number): number {
    const at = this.#at;
    if (count > this.#end - at) throw new FrameError("tooShort", "a frame ends in the middle of a field");
    this.#at = at + count;
    return at;
  }

  #readU32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  #readU64(): number {
    const at = this.#advance(8);
    const value = this.#view.getUint32(at + 4, true) * TWO_TO_32 + this.#view.getUint32(at, true);
    if (value > Number.MAX_SAFE_INTEGER) throw new FrameError("badNumber", "a number of 2^53 or more");
    return value;
  }

  /** A copy: what the socket handed in may be used again for the next read. (A Buffer's own slice would be none.) */
  #readBytes(): Uint8Array {
    const length = this.#readU32();
    const at = this.#advance(length);
    return new Uint8Array(this.#bytes.subarray(at, at + length));
  }

  #readText(): string {
    const length = this.#readU32();
    const at = this.#advance(length);
    return textDecoder.decode(this.#bytes.subarray(at, at + length));
  }

  /** `least` bytes for each item: a count that the frame cannot hold is refused before anything is read. */
  #readMany<Item>(least: number, read: () => Item): Item[] {
    const count = this.#readU32();
    if (count * least > this.#end - this.#at)
      throw new FrameError("tooShort", "a frame holds fewer items than it says");
    const items: Item[] = [];
    for (let index = 0; index < count; index++) items.push(read());
    return items;
  }
}

/** Reads what the keeper sends. */
export class MessageDecoder extends FrameDecoder<Message> {
  constructor() {
    super(messagesByCode);
  }
}

/** Reads what a supervisor sends. */
export class CommandDecoder extends FrameDecoder<Command> {
  constructor() {
    super(commandsByCode);
  }
}

const checkedLength = (length: number): number => {
  if (length < 1) throw new FrameError("tooShort", "a frame without a code");
  if (length > LIMITS.frameBytes)
    throw new FrameError("tooLong", `a frame of ${length} bytes, more than the ${LIMITS.frameBytes} that one may have`);
  return length;
};
