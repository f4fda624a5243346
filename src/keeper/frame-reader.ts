// Reads the values of one frame. The buffer and the position are module variables: only one frame is read at a time.
// Written for speed in an interpreter.
import { host } from "#host";
import { type Field, FrameError, type Plan, TWO_TO_32, type Value } from "./frame-plans.ts";
import type { FieldType } from "./protocol.ts";

const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

const { unpack } = host.fields;

let bytes = new Uint8Array(0);
let view = new DataView(bytes.buffer);
let at = 0;
let end = 0;

/** Sets the buffer for the next frames. */
export const readFrom = (given: Uint8Array, itsView: DataView): void => {
  bytes = given as Uint8Array<ArrayBuffer>;
  view = itsView as DataView<ArrayBuffer>;
};

/** Reads the frame whose code is at `start` and that ends before `stop`. Throws FrameError. */
export const readFrame = (plans: readonly (Plan | undefined)[], start: number, stop: number): Record<string, Value> => {
  const code = bytes[start] ?? 0;
  const plan = plans[code];
  if (plan === undefined) throw new FrameError("unknownCode", `a frame with the unknown code ${code}`);
  const frame: Record<string, Value> = { kind: plan.kind };
  const { fields, layout } = plan;
  const values = layout === null ? -1 : unpack(bytes, start + 1, stop, layout);
  if (typeof values !== "number") {
    for (let index = 0; index < fields.length; index++) {
      // There is one value per letter of the layout.
      frame[(fields[index] as Field).name] = values[index] as Value;
    }
    return frame;
  }
  at = start + 1;
  end = stop;
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index];
    if (field !== undefined) frame[field.name] = readField(field.type);
  }
  if (at !== end) throw new FrameError("leftOver", `${plan.kind} is ${end - at} bytes longer than its fields`);
  return frame;
};

const readField = (type: FieldType): Value => {
  switch (type) {
    case "u64":
      return readU64();
    case "bytes":
      return readBytes();
    case "text":
      return readText();
    case "u32":
      return readU32();
    case "u8":
      return view.getUint8(advance(1));
    case "i32":
      return view.getInt32(advance(4), true);
    case "texts":
      return readMany(4, readText);
    case "numbers":
      return readMany(8, readU64);
    case "pairs":
      return readMany(8, () => [readText(), readText()] as const);
  }
};

/** Skips `count` bytes of the frame and returns their position. */
const advance = (count: number): number => {
  const before = at;
  if (count > end - before) throw new FrameError("tooShort", "a frame ends in the middle of a field");
  at = before + count;
  return before;
};

const readU32 = (): number => view.getUint32(advance(4), true);

const readU64 = (): number => {
  const index = advance(8);
  const low = view.getUint32(index, true);
  const high = view.getUint32(index + 4, true);
  if (high === 0) return low;
  const value = high * TWO_TO_32 + low;
  if (value > Number.MAX_SAFE_INTEGER) throw new FrameError("badNumber", "a number of 2^53 or more");
  return value;
};

/** A copy, because the socket's buffer is used again for the next read. */
const readBytes = (): Uint8Array => {
  const length = readU32();
  const index = advance(length);
  return new Uint8Array(bytes.subarray(index, index + length));
};

const readText = (): string => {
  const length = readU32();
  const index = advance(length);
  return textDecoder.decode(bytes.subarray(index, index + length));
};

/** `least`: the minimum size of an item. A count that cannot fit into the frame is refused before anything is read. */
const readMany = <Item>(least: number, read: () => Item): Item[] => {
  const count = readU32();
  if (count * least > end - at) throw new FrameError("tooShort", "a frame holds fewer items than it says");
  const items: Item[] = [];
  for (let index = 0; index < count; index++) items.push(read());
  return items;
};
