// Values into bytes: one growing buffer. Written to be quick in an interpreter.
import { bytesOf } from "../host/bytes.ts";
import { type Field, FrameError, HEADER_BYTES, type Plan, TWO_TO_32, type Value } from "./frame-plans.ts";
import { LIMITS } from "./protocol.ts";

/** The bytes of frames, one after the other, in an array of their own. Throws FrameError. */
export const encodeAll = (
  plans: ReadonlyMap<string, Plan>,
  frames: readonly { readonly kind: string }[],
): Uint8Array => {
  writer.at = 0;
  for (const frame of frames) {
    const plan = plans.get(frame.kind);
    if (plan === undefined) throw new FrameError("unknownCode", `there is no frame named ${frame.kind}`);
    // The unions are derived from the tables that the plans are made of, so every field of the plan is there.
    writeFrame(plan, frame as unknown as Readonly<Record<string, Value>>);
  }
  const bytes = new Uint8Array(writer.bytes.subarray(0, writer.at));
  if (writer.bytes.length > SPARE_BYTES) resetWriter();
  return bytes;
};

/** What the encoder keeps between calls; a larger buffer is let go after its batch. */
const SPARE_BYTES = 64 * 1024;
const writer = { bytes: new Uint8Array(0), view: new DataView(new ArrayBuffer(0)), at: 0 };

const resetWriter = (size = 4096): void => {
  const memory = new ArrayBuffer(size);
  writer.bytes = new Uint8Array(memory);
  writer.view = new DataView(memory);
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

const writeText = (text: string): void => writeBytes(bytesOf(text));

const writeBytes = (bytes: Uint8Array): void => {
  reserve(4 + bytes.length);
  writer.view.setUint32(writer.at, bytes.length, true);
  writer.bytes.set(bytes, writer.at + 4);
  writer.at += 4 + bytes.length;
};
