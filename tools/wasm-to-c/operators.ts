// The operators without control flow or memory: their operand and result types, and their C expressions on top of
// wasm.h. Ordered by opcode (https://webassembly.github.io/spec/core/binary/instructions.html#numeric-instructions).
import type { ValueType } from "./module.ts";

export type Operator = {
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly result: ValueType;
  /** Makes the C expression from operands, which are C expressions without side effects. */
  readonly c: (...operands: readonly string[]) => string;
  /** It can trap, so it is evaluated in its place, not where its result is used. */
  readonly canTrap: boolean;
};

export const C_TYPES: Readonly<Record<ValueType, string>> = { i32: "u32", i64: "u64", f32: "f32", f64: "f64" };
const C_SIGNED = { i32: "s32", i64: "s64" } as const;
const BITS = { i32: 32, i64: 64 } as const;

type IntegerType = "i32" | "i64";
type FloatType = "f32" | "f64";

const operator = (
  name: string,
  params: readonly ValueType[],
  result: ValueType,
  c: Operator["c"],
  canTrap = false,
): Operator => ({ name, params, result, c, canTrap });

const infix = (name: string, type: ValueType, symbol: string): Operator =>
  operator(name, [type, type], type, (a, b) => `(${a} ${symbol} ${b})`);

const comparison = (name: string, type: ValueType, symbol: string): Operator =>
  operator(name, [type, type], "i32", (a, b) => `((u32)(${a} ${symbol} ${b}))`);

const call = (
  name: string,
  params: readonly ValueType[],
  result: ValueType,
  callee: string,
  canTrap = false,
): Operator => operator(name, params, result, (...operands) => `${callee}(${operands.join(", ")})`, canTrap);

const integerComparisons = (type: IntegerType): readonly Operator[] => {
  const signed = (name: string, symbol: string): Operator =>
    operator(`${type}.${name}`, [type, type], "i32", (a, b) => {
      return `((u32)((${C_SIGNED[type]})${a} ${symbol} (${C_SIGNED[type]})${b}))`;
    });
  const unsigned = (name: string, symbol: string): Operator => comparison(`${type}.${name}`, type, symbol);
  return [
    operator(`${type}.eqz`, [type], "i32", (a) => `((u32)(${a} == 0))`),
    unsigned("eq", "=="),
    unsigned("ne", "!="),
    ...[signed("lt_s", "<"), unsigned("lt_u", "<")],
    ...[signed("gt_s", ">"), unsigned("gt_u", ">")],
    ...[signed("le_s", "<="), unsigned("le_u", "<=")],
    ...[signed("ge_s", ">="), unsigned("ge_u", ">=")],
  ];
};

const FLOAT_COMPARISONS = { eq: "==", ne: "!=", lt: "<", gt: ">", le: "<=", ge: ">=" } as const;

const floatComparisons = (type: FloatType): readonly Operator[] =>
  Object.entries(FLOAT_COMPARISONS).map(([name, symbol]) => comparison(`${type}.${name}`, type, symbol));

const integerArithmetic = (type: IntegerType): readonly Operator[] => {
  const unary = (name: string): Operator => call(`${type}.${name}`, [type], type, `${type}_${name}`);
  const binary = (name: string, symbol: string): Operator => infix(`${type}.${name}`, type, symbol);
  const function_ = (name: string, canTrap: boolean): Operator =>
    call(`${type}.${name}`, [type, type], type, `${type}_${name}`, canTrap);
  // WebAssembly takes the count modulo the width. In C, a count of the width or more is undefined.
  const count = (b: string | undefined): string => `(${b} & ${BITS[type] - 1})`;
  return [
    ...["clz", "ctz", "popcnt"].map(unary),
    ...[binary("add", "+"), binary("sub", "-"), binary("mul", "*")],
    ...["div_s", "div_u", "rem_s", "rem_u"].map((name) => function_(name, true)),
    ...[binary("and", "&"), binary("or", "|"), binary("xor", "^")],
    operator(`${type}.shl`, [type, type], type, (a, b) => `(${a} << ${count(b)})`),
    operator(`${type}.shr_s`, [type, type], type, (a, b) => {
      return `((${C_TYPES[type]})((${C_SIGNED[type]})${a} >> ${count(b)}))`;
    }),
    operator(`${type}.shr_u`, [type, type], type, (a, b) => `(${a} >> ${count(b)})`),
    ...["rotl", "rotr"].map((name) => function_(name, false)),
  ];
};

const floatArithmetic = (type: FloatType): readonly Operator[] => {
  const named = (name: string, params: readonly ValueType[]): Operator =>
    call(`${type}.${name}`, params, type, `${type}_${name}`);
  return [
    ...["abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt"].map((name) => named(name, [type])),
    ...Object.entries({ add: "+", sub: "-", mul: "*", div: "/" }).map(([name, symbol]) =>
      infix(`${type}.${name}`, type, symbol),
    ),
    ...["min", "max", "copysign"].map((name) => named(name, [type, type])),
  ];
};

/** A conversion by one or more C casts. */
const cast = (name: string, from: ValueType, to: ValueType, types: string): Operator =>
  operator(name, [from], to, (a) => `(${types}${a})`);

const truncations = (to: IntegerType, prefix: "trunc" | "trunc_sat"): readonly Operator[] =>
  (["f32", "f64"] as const).flatMap((from) =>
    ["s", "u"].map((sign) =>
      call(`${to}.${prefix}_${from}_${sign}`, [from], to, `${to}_${prefix}_${from}_${sign}`, prefix === "trunc"),
    ),
  );

const conversionsTo = (to: FloatType): readonly Operator[] => [
  cast(`${to}.convert_i32_s`, "i32", to, `(${to})(s32)`),
  cast(`${to}.convert_i32_u`, "i32", to, `(${to})`),
  cast(`${to}.convert_i64_s`, "i64", to, `(${to})(s64)`),
  cast(`${to}.convert_i64_u`, "i64", to, `(${to})`),
];

const reinterpretation = (from: ValueType, to: ValueType): Operator =>
  call(`${to}.reinterpret_${from}`, [from], to, `${to}_reinterpret_${from}`);

const conversions: readonly Operator[] = [
  cast("i32.wrap_i64", "i64", "i32", "(u32)"),
  ...truncations("i32", "trunc"),
  cast("i64.extend_i32_s", "i32", "i64", "(u64)(s64)(s32)"),
  cast("i64.extend_i32_u", "i32", "i64", "(u64)"),
  ...truncations("i64", "trunc"),
  ...conversionsTo("f32"),
  cast("f32.demote_f64", "f64", "f32", "(f32)"),
  ...conversionsTo("f64"),
  cast("f64.promote_f32", "f32", "f64", "(f64)"),
  ...[reinterpretation("f32", "i32"), reinterpretation("f64", "i64")],
  ...[reinterpretation("i32", "f32"), reinterpretation("i64", "f64")],
  cast("i32.extend8_s", "i32", "i32", "(u32)(s32)(s8)"),
  cast("i32.extend16_s", "i32", "i32", "(u32)(s32)(s16)"),
  cast("i64.extend8_s", "i64", "i64", "(u64)(s64)(s8)"),
  cast("i64.extend16_s", "i64", "i64", "(u64)(s64)(s16)"),
  cast("i64.extend32_s", "i64", "i64", "(u64)(s64)(s32)"),
];

const FIRST_OPERATOR = 0x45;

const inOrder: readonly Operator[] = [
  ...integerComparisons("i32"),
  ...integerComparisons("i64"),
  ...floatComparisons("f32"),
  ...floatComparisons("f64"),
  ...integerArithmetic("i32"),
  ...integerArithmetic("i64"),
  ...floatArithmetic("f32"),
  ...floatArithmetic("f64"),
  ...conversions,
];

/** By opcode. */
export const OPERATORS: ReadonlyMap<number, Operator> = new Map(
  inOrder.map((entry, index) => [FIRST_OPERATOR + index, entry]),
);

/** By the number after the prefix 0xfc. */
export const SATURATING: readonly Operator[] = [...truncations("i32", "trunc_sat"), ...truncations("i64", "trunc_sat")];

/** A load or store: the type on the stack, and the C type in memory. A signed load is sign-extended. */
export type Access = { readonly name: string; readonly type: ValueType; readonly memory: string };

const access = (name: string, memory: string): Access => ({
  name,
  // The name begins with its type.
  type: name.slice(0, 3) as ValueType,
  memory,
});

/** By opcode, from 0x28. */
export const LOADS: ReadonlyMap<number, Access> = new Map(
  [
    ...[access("i32.load", "u32"), access("i64.load", "u64"), access("f32.load", "f32"), access("f64.load", "f64")],
    ...[access("i32.load8_s", "s8"), access("i32.load8_u", "u8")],
    ...[access("i32.load16_s", "s16"), access("i32.load16_u", "u16")],
    ...[access("i64.load8_s", "s8"), access("i64.load8_u", "u8")],
    ...[access("i64.load16_s", "s16"), access("i64.load16_u", "u16")],
    ...[access("i64.load32_s", "s32"), access("i64.load32_u", "u32")],
  ].map((entry, index) => [0x28 + index, entry]),
);

/** By opcode, from 0x36. */
export const STORES: ReadonlyMap<number, Access> = new Map(
  [
    ...[access("i32.store", "u32"), access("i64.store", "u64"), access("f32.store", "f32"), access("f64.store", "f64")],
    ...[access("i32.store8", "u8"), access("i32.store16", "u16")],
    ...[access("i64.store8", "u8"), access("i64.store16", "u16"), access("i64.store32", "u32")],
  ].map((entry, index) => [0x36 + index, entry]),
);
