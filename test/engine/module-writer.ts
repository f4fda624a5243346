// Writes WebAssembly's binary format, for the modules of the translator's tests.
import { type Signature, signatureKey, type ValueType } from "../../tools/wasm-to-c/module.ts";
import { LOADS, OPERATORS, SATURATING, STORES } from "../../tools/wasm-to-c/operators.ts";

type Bytes = readonly number[];

export const TYPE_CODES: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c };

export const u32 = (value: number): Bytes => {
  const bytes: number[] = [];
  for (let rest = value >>> 0; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
};

/** `value` is a two's complement of 64 bits; shorter numbers are sign-extended first. */
export const signed = (value: bigint): Bytes => {
  const bytes: number[] = [];
  for (let rest = BigInt.asIntN(64, value); ; rest >>= 7n) {
    const low = Number(rest & 0x7fn);
    const isLast = (rest >> 6n === 0n && (low & 0x40) === 0) || (rest >> 6n === -1n && (low & 0x40) !== 0);
    if (isLast) return [...bytes, low];
    bytes.push(low | 0x80);
  }
};

const little = (bits: bigint, count: number): Bytes =>
  Array.from({ length: count }, (_, index) => Number((bits >> BigInt(8 * index)) & 0xffn));

/** The instruction that pushes the constant with these bits. */
export const constant = (type: ValueType, bits: bigint): Bytes => {
  if (type === "i32") return [0x41, ...signed(BigInt.asIntN(32, bits))];
  if (type === "i64") return [0x42, ...signed(bits)];
  return type === "f32" ? [0x43, ...little(bits, 4)] : [0x44, ...little(bits, 8)];
};

const named = (table: ReadonlyMap<number, { readonly name: string }>): ReadonlyMap<string, Bytes> =>
  new Map([...table].map(([opcode, { name }]) => [name, [opcode]]));

/** The opcode of an instruction that computes, loads or stores, by its name in the text format. */
const OPCODES: ReadonlyMap<string, Bytes> = new Map([
  ...named(OPERATORS),
  ...named(LOADS),
  ...named(STORES),
  ...SATURATING.map(({ name }, index): [string, Bytes] => [name, [0xfc, index]]),
]);

export const opcode = (name: string): Bytes => {
  const bytes = OPCODES.get(name);
  if (bytes === undefined) throw new Error(`no instruction ${name}`);
  return bytes;
};

export type WrittenFunction = {
  readonly signature: Signature;
  /** Besides the parameters. */
  readonly locals: readonly ValueType[];
  /** Without the final `end`. */
  readonly code: Bytes;
  readonly exportedAs: string | null;
};

export type WrittenModule = {
  readonly functions: readonly WrittenFunction[];
  readonly globals: readonly { readonly type: ValueType; readonly bits: bigint }[];
  readonly pages: number;
  readonly maximumPages: number;
  /** The functions in the table, from index 1 on; two entries after them stay empty. */
  readonly table: readonly number[];
  readonly data: readonly { readonly at: number; readonly bytes: Bytes }[];
};

const vector = (items: readonly Bytes[]): Bytes => [...u32(items.length), ...items.flat()];
const text = (value: string): Bytes => vector([...new TextEncoder().encode(value)].map((byte) => [byte]));
const section = (id: number, content: Bytes): Bytes => [id, ...u32(content.length), ...content];

/** The type indices: one for each signature, in the order in which they are first used. */
export const typeIndices = (functions: readonly { readonly signature: Signature }[]): ReadonlyMap<string, number> => {
  const indices = new Map<string, number>();
  for (const { signature } of functions) {
    const key = signatureKey(signature);
    if (!indices.has(key)) indices.set(key, indices.size);
  }
  return indices;
};

/** The module's bytes. Every global is exported as `gN`, the memory as `memory`. */
export const writeModule = (module: WrittenModule): Uint8Array => {
  const { functions, globals, table, data } = module;
  const indices = typeIndices(functions);
  const typeIndex = (signature: Signature): Bytes => u32(indices.get(signatureKey(signature)) ?? 0);
  const signatures = new Map(functions.map(({ signature }) => [signatureKey(signature), signature]));
  const types = [...signatures.values()].map(({ params, result }) => [
    0x60,
    ...vector(params.map((type) => [TYPE_CODES[type]])),
    ...vector(result === null ? [] : [[TYPE_CODES[result]]]),
  ]);
  const exports = [
    ...functions.flatMap(({ exportedAs }, index) =>
      exportedAs === null ? [] : [[...text(exportedAs), 0, ...u32(index)]],
    ),
    ...globals.map((_, index) => [...text(`g${index}`), 3, ...u32(index)]),
    [...text("memory"), 2, 0],
  ];
  const bodies = functions.map(({ locals, code }) => {
    const body = [...vector(locals.map((type) => [1, TYPE_CODES[type]])), ...code, 0x0b];
    return [...u32(body.length), ...body];
  });
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(3, vector(functions.map(({ signature }) => typeIndex(signature)))),
    ...section(4, vector([[0x70, 0, ...u32(table.length + 3)]])),
    ...section(5, vector([[1, ...u32(module.pages), ...u32(module.maximumPages)]])),
    ...section(6, vector(globals.map(({ type, bits }) => [TYPE_CODES[type], 1, ...constant(type, bits), 0x0b]))),
    ...section(7, vector(exports)),
    ...section(9, vector([[0, ...constant("i32", 1n), 0x0b, ...vector(table.map(u32))]])),
    ...section(10, vector(bodies)),
    ...section(
      11,
      vector(
        data.map(({ at, bytes }) => [0, ...constant("i32", BigInt(at)), 0x0b, ...vector(bytes.map((byte) => [byte]))]),
      ),
    ),
  ]);
};
