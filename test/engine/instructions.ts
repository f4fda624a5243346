// The instructions of random functions, by the type of their result, and the functions that replace NaNs.

import type { ValueType } from "../../tools/wasm-to-c/module.ts";
import { type LOADS, OPERATORS, type Operator, SATURATING } from "../../tools/wasm-to-c/operators.ts";
import { constant, opcode, type WrittenFunction } from "./module-writer.ts";

const CANONICAL = { f32: 0x7fc00000n, f64: 0x7ff8000000000000n } as const;
/** The functions that replace NaNs, by index. */
export const CANONICALIZE = { f32: 0, f64: 1 } as const;

/** These only move bits. */
export const MOVES = /\.(abs|neg|copysign)/;

const ALL_OPERATORS: readonly Operator[] = [...OPERATORS.values(), ...SATURATING];
const operatorsOf = (result: ValueType): readonly Operator[] =>
  ALL_OPERATORS.filter((entry) => entry.result === result);
export const OPERATORS_OF = {
  i32: operatorsOf("i32"),
  i64: operatorsOf("i64"),
  f32: operatorsOf("f32"),
  f64: operatorsOf("f64"),
};
export const accessesOf = (table: typeof LOADS, type: ValueType) =>
  [...table.values()].filter((access) => access.type === type);

export const canonicalizer = (type: "f32" | "f64"): WrittenFunction => ({
  signature: { params: [type], result: type },
  locals: [],
  code: [...[0x20, 0], ...constant(type, CANONICAL[type]), ...[0x20, 0, 0x20, 0], ...opcode(`${type}.eq`), 0x1b],
  exportedAs: null,
});
