// Values for the tests of the translator: at the edges of ranges, and random ones.
import type { ValueType } from "../../tools/wasm-to-c/module.ts";
import type { Random } from "../lives/random.ts";

export const TYPES = ["i32", "i64", "f32", "f64"] as const;
export const isFloat = (type: ValueType): type is "f32" | "f64" => type === "f32" || type === "f64";

export const nonEmpty = <Item>(items: readonly Item[]): readonly [Item, ...Item[]] => {
  const [first, ...rest] = items;
  if (first === undefined) throw new Error("nothing to choose from");
  return [first, ...rest];
};

/** Numbers at the edges of ranges, besides random ones. */
const EDGES: Readonly<Record<ValueType, readonly bigint[]>> = {
  i32: [0n, 1n, 2n, 31n, 32n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x8000n, 0x80n],
  i64: [0n, 1n, 63n, 64n, 0x7fffffffn, 0x80000000n, 0xffffffffn, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n],
  f32: [
    0n,
    0x80000000n,
    0x3f800000n,
    0xbf800000n,
    0x7f800000n,
    0xff800000n,
    0x7fc00000n,
    0x4f000000n,
    0xcf000000n,
    0x4f800000n,
    1n,
    0x3f000000n,
    0x5f000000n,
    0xdf000000n,
    0x5f800000n,
  ],
  f64: [
    0n,
    1n << 63n,
    0x3ff0000000000000n,
    0xbff0000000000000n,
    0x7ff0000000000000n,
    0xfff0000000000000n,
    0x7ff8000000000000n,
    0x41e0000000000000n,
    0xc1e0000000200000n,
    0x41f0000000000000n,
    0x43e0000000000000n,
    0xc3e0000000000000n,
    0x43f0000000000000n,
    1n,
    0x3fe0000000000000n,
    0x4004000000000000n,
  ],
};

/** Bits of a value: an edge or random, but no NaN other than the canonical one. */
export const randomBits = (type: ValueType, random: Random): bigint => {
  const edges = EDGES[type];
  if (random.chance(0.5)) return edges[random.between(0, edges.length - 1)] ?? 0n;
  if (type === "f64") return bitsOfDouble((random.next() - 0.5) * 2 ** random.between(-10, 70));
  if (type === "f32") return bitsOfFloat((random.next() - 0.5) * 2 ** random.between(-10, 70));
  const low = BigInt(random.between(0, 0xffffffff));
  return type === "i32" ? low : (BigInt(random.between(0, 0xffffffff)) << 32n) | low;
};

const view = new DataView(new ArrayBuffer(8));
const bitsOfDouble = (value: number): bigint => {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
};
const bitsOfFloat = (value: number): bigint => {
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
};
