// Writes values as bytes into one growing buffer. Written for speed in an interpreter.
import { host } from "#host";
import { bytesOf } from "../host/bytes.ts";
import { type Field, FrameError, HEADER_BYTES, type Plan, TWO_TO_32, type Value } from "./frame-plans.ts";
import { LIMITS } from "./protocol.ts";

const { pack } = host.fields;

/** The bytes of frames, in order, in a new array. Throws FrameError. */
export const encodeAll = (
  plans: ReadonlyMap<string, Plan>,
  frames: readonly { readonly kind: string }[],
): Uint8Array => {
  at = 0;
  for (let index = 0; index < frames.length; index++) {
    const frame = frames[index] as { readonly kind: string };
    const plan = plans.get(frame.kind);
    if (plan === undefined) throw new FrameError("unknownCode", `there is no frame named ${frame.kind}`);
    // The unions are derived from the tables that the plans are made from, so every field of the plan exists.
    writeFrame(plan, frame as unknown as Readonly<Record<string, Value>>);
  }
  const encoded = bytes.slice(0, at);
  if (bytes.length > SPARE_BYTES) resetWriter();
  return encoded;
};

/** The size of the buffer that is kept between calls; a larger one is dropped after its batch. */
const SPARE_BYTES = 64 * 1024;
let bytes = new Uint8Array(0);
let view = new DataView(bytes.buffer);
let at = 0;

const resetWriter = (size = 4096): void => {
  bytes = new Uint8Array(size);
  view = new DataView(bytes.buffer);
};
resetWriter();

const reserve = (count: number): void => {
  const needed = at + count;
  if (needed <= bytes.length) return;
  const held = bytes;
  resetWriter(Math.max(needed, held.length * 2));
  bytes.set(held.subarray(0, at));
};

const writeFrame = (plan: Plan, frame: Readonly<Record<string, Value>>): void => {
  const start = at;
  reserve(HEADER_BYTES + 1);
  bytes[start + HEADER_BYTES] = plan.code;
  at = start + HEADER_BYTES + 1;
  const end = packFields(plan, frame);
  if (end < 0) writeFields(plan, frame);
  else at = end;
  const length = at - start - HEADER_BYTES;
  if (length > LIMITS.frameBytes)
    throw new FrameError(
      "tooLong",
      `${plan.kind} takes ${length} bytes, more than the ${LIMITS.frameBytes} of a frame`,
    );
  view.setUint32(start, length, true);
};

/** The fast path: most frames are written in one call. */
const packFields = ({ layout, packed }: Plan, frame: Readonly<Record<string, Value>>): number =>
  layout === null || packed === null
    ? -1
    : pack(bytes, at, layout, frame[packed[0]], frame[packed[1]], frame[packed[2]]);

/** Writes the fields one by one: with a larger buffer if needed, and with an exact error. */
const writeFields = (plan: Plan, frame: Readonly<Record<string, Value>>): void => {
  const { fields } = plan;
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index];
    if (field !== undefined) writeField(plan, field, frame[field.name]);
  }
};

// The casts follow the field's type in the table, from which protocol.ts derives the value's type.
const writeField = (plan: Plan, field: Field, value: Value | undefined): void => {
  switch (field.type) {
    case "text":
      writeText(value as string);
      return;
    case "u64":
    case "u32":
    case "u8":
    case "i32":
      writeNumber(plan, field, field.type, value as number);
      return;
    case "bytes":
      if (typeof value === "string") writeText(value);
      else writeBytes(value as Uint8Array);
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
  reserve(8);
  const range = RANGES[type];
  if (!Number.isInteger(value) || value < range.low || value > range.high)
    throw new FrameError("badNumber", `${plan.kind}.${field.name} cannot be ${value}: it is a ${type}`);
  if (type === "u8") {
    bytes[at++] = value;
    return;
  }
  // Two's complement: setUint32 of a negative i32 writes the same bits as setInt32.
  view.setUint32(at, value % TWO_TO_32, true);
  at += 4;
  if (type !== "u64") return;
  view.setUint32(at, Math.floor(value / TWO_TO_32), true);
  at += 4;
};

const writeCount = (count: number): void => {
  reserve(4);
  view.setUint32(at, count, true);
  at += 4;
};

const writeText = (text: string): void => writeBytes(bytesOf(text));

const writeBytes = (given: Uint8Array): void => {
  reserve(4 + given.length);
  view.setUint32(at, given.length, true);
  bytes.set(given, at + 4);
  at += 4 + given.length;
};
