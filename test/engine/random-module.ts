// Modules of random functions over all instructions that the translator knows. They end, because loops use up fuel, and
// their results are the same everywhere: a computed NaN is replaced by the canonical one, because its bits depend on
// the engine.
import { type Signature, signatureKey, type ValueType } from "../../tools/wasm-to-c/module.ts";
import { LOADS, type Operator, STORES } from "../../tools/wasm-to-c/operators.ts";
import { Random } from "../lives/random.ts";
import { accessesOf, CANONICALIZE, canonicalizer, MOVES, OPERATORS_OF } from "./instructions.ts";
import {
  constant,
  opcode,
  TYPE_CODES,
  typeIndices,
  u32,
  type WrittenFunction,
  type WrittenModule,
} from "./module-writer.ts";
import { isFloat, nonEmpty, randomBits, TYPES } from "./random-values.ts";

export type RandomOptions = {
  readonly seed: number;
  readonly functions: number;
  /** Whether addresses may lie outside the memory. */
  readonly memoryTraps: "some" | "none";
};

type Bytes = readonly number[];
/** The global with the fuel for loops and calls; the caller fills it up before. */
export const FUEL = 0;
export const FUEL_AT_START = 1000;
/** Traps (`unreachable`) when the fuel is used up. */
const TAKE_FUEL: Bytes = [
  ...[0x23, FUEL, 0x45, 0x04, 0x40, 0x00, 0x0b],
  ...[0x23, FUEL, ...constant("i32", 1n), ...opcode("i32.sub"), 0x24, FUEL],
];

const LEAVES = 6;
/** The maximum depth of expressions and blocks. */
const DEEPEST = 6;
const PAGES = 2;
const SHOWN_AT = 0x1f000;
const MOST_PAGES = 5;

export const randomModule = (options: RandomOptions): WrittenModule => {
  const random = new Random(options.seed);
  const signatures = Array.from({ length: 12 }, () => randomSignature(random));
  const functions: WrittenFunction[] = [canonicalizer("f32"), canonicalizer("f64")];
  const globals = [
    { type: "i32" as ValueType, bits: BigInt(FUEL_AT_START) },
    ...TYPES.map((type) => ({ type, bits: randomBits(type, random) })),
  ];
  const plan = Array.from({ length: options.functions }, (): Signature => random.pick(nonEmpty(signatures)));
  const all = [...functions.map(({ signature }) => ({ signature })), ...plan.map((signature) => ({ signature }))];
  const types = typeIndices(all);
  plan.forEach((signature, index) => {
    const callable = index < LEAVES ? [] : all.slice(2, 2 + index).map((entry) => entry.signature);
    functions.push(new FunctionWriter({ random, options, signature, globals, callable, types }).write(`f${index}`));
  });
  return {
    functions,
    globals,
    pages: PAGES,
    maximumPages: MOST_PAGES,
    table: Array.from({ length: LEAVES }, (_, index) => 2 + index),
    data: [{ at: 16, bytes: Array.from({ length: 3000 }, () => random.between(0, 255)) }],
  };
};

const randomSignature = (random: Random): Signature => ({
  params: Array.from({ length: random.between(0, 4) }, () => random.pick(TYPES)),
  result: random.chance(0.85) ? random.pick(TYPES) : null,
});

type Surroundings = {
  readonly random: Random;
  readonly options: RandomOptions;
  readonly signature: Signature;
  readonly globals: readonly { readonly type: ValueType }[];
  /** Signatures of the random functions before this one. */
  readonly callable: readonly Signature[];
  readonly types: ReadonlyMap<string, number>;
};

/** A branch target, with the type of the value that the branch carries. */
type Label = ValueType | null;

class FunctionWriter {
  readonly #in: Surroundings;
  readonly #random: Random;
  readonly #locals: readonly ValueType[];
  readonly #labels: Label[] = [];

  constructor(surroundings: Surroundings) {
    this.#in = surroundings;
    this.#random = surroundings.random;
    this.#locals = [...surroundings.signature.params, ...TYPES, ...TYPES];
  }

  write(exportedAs: string): WrittenFunction {
    const { signature } = this.#in;
    this.#labels.push(signature.result);
    const code = [
      ...TAKE_FUEL,
      ...this.#statements(DEEPEST),
      ...this.#showLocals(),
      ...(signature.result === null ? [] : this.#value(signature.result, DEEPEST)),
    ];
    return { signature, locals: this.#locals.slice(signature.params.length), code, exportedAs };
  }

  /** Writes all variables into the memory, which is compared, so that a wrong value is noticed. */
  #showLocals(): Bytes {
    return this.#locals.flatMap((type, index) => [
      ...[...constant("i32", BigInt(SHOWN_AT + 8 * index)), 0x20, ...u32(index)],
      ...[...opcode(`${type}.store`), 0, 0],
    ]);
  }

  #statements(depth: number): Bytes {
    return Array.from({ length: this.#random.between(1, 4) }, () => this.#statement(depth)).flat();
  }

  #statement(depth: number): Bytes {
    const shallow = [this.#setLocal, this.#setGlobal, this.#store, this.#drop, this.#branchIf, this.#bulk];
    const deep = [
      this.#block,
      this.#loop,
      this.#ifElse,
      this.#call,
      this.#callIndirect,
      this.#branchByTable,
      this.#return,
      this.#dead,
    ];
    const choices = depth > 0 ? [...shallow, ...deep, ...deep] : shallow;
    return this.#random.pick(nonEmpty(choices)).call(this, depth);
  }

  /** Pushes a value of this type. */
  #value(type: ValueType, depth: number): Bytes {
    const shallow = [this.#constant, this.#getLocal, this.#getLocal, this.#getGlobal];
    const deep = [this.#operator, this.#operator, this.#operator, this.#operator, this.#load, this.#select, this.#tee];
    const blocks = [this.#valueBlock, this.#valueIf, this.#valueCall, this.#memorySize];
    const choices = depth > 0 ? [...shallow, ...deep, ...deep, ...blocks] : shallow;
    return this.#random.pick(nonEmpty(choices)).call(this, type, depth - 1);
  }

  // Expressions ---------------------------------------------------------------------------------------------------

  #constant(type: ValueType): Bytes {
    return constant(type, randomBits(type, this.#random));
  }

  #localOf(type: ValueType): number {
    const fitting = this.#locals.flatMap((local, index) => (local === type ? [index] : []));
    return this.#random.pick(nonEmpty(fitting));
  }

  #getLocal(type: ValueType): Bytes {
    return [0x20, ...u32(this.#localOf(type))];
  }

  #getGlobal(type: ValueType): Bytes {
    return [0x23, ...u32(this.#globalOf(type))];
  }

  #globalOf(type: ValueType): number {
    return this.#in.globals.findIndex((global, index) => index !== FUEL && global.type === type);
  }

  #operator(type: ValueType, depth: number): Bytes {
    const { name, params, result } = this.#anyOperator(type);
    const code = [...params.flatMap((param) => this.#value(param, depth)), ...opcode(name)];
    return isFloat(result) && !MOVES.test(name) ? [...code, 0x10, CANONICALIZE[result]] : code;
  }

  /** Mostly one that cannot trap: code after a trap is not tested. */
  #anyOperator(type: ValueType): Operator {
    const one = this.#random.pick(nonEmpty(OPERATORS_OF[type]));
    return one.canTrap && this.#random.chance(0.8) ? this.#anyOperator(type) : one;
  }

  #load(type: ValueType, depth: number): Bytes {
    const { name } = this.#random.pick(nonEmpty(accessesOf(LOADS, type)));
    const code = [...this.#address(depth), ...opcode(name), 0, ...u32(this.#offset())];
    return isFloat(type) ? [...code, 0x10, CANONICALIZE[type]] : code;
  }

  #select(type: ValueType, depth: number): Bytes {
    return [...this.#value(type, depth), ...this.#value(type, depth), ...this.#value("i32", depth), 0x1b];
  }

  #tee(type: ValueType, depth: number): Bytes {
    return [...this.#value(type, depth), 0x22, ...u32(this.#localOf(type))];
  }

  #valueBlock(type: ValueType, depth: number): Bytes {
    return [
      0x02,
      TYPE_CODES[type],
      ...this.#inside(type, () => [...this.#statement(depth), ...this.#value(type, depth)]),
      0x0b,
    ];
  }

  #valueIf(type: ValueType, depth: number): Bytes {
    const half = () => this.#inside(type, () => [...this.#statement(depth), ...this.#value(type, depth)]);
    return [...this.#value("i32", depth), 0x04, TYPE_CODES[type], ...half(), 0x05, ...half(), 0x0b];
  }

  /** A call that returns this type, or a constant if no function does. */
  #valueCall(type: ValueType, depth: number): Bytes {
    const index = this.#in.callable.findIndex((signature) => signature.result === type);
    const signature = this.#in.callable[index];
    if (signature === undefined) return this.#constant(type);
    return [...signature.params.flatMap((param) => this.#value(param, depth)), 0x10, ...u32(2 + index)];
  }

  #memorySize(type: ValueType, depth: number): Bytes {
    if (type !== "i32") return this.#value(type, depth);
    if (this.#random.chance(0.8)) return [0x3f, 0];
    return [...constant("i32", BigInt(this.#random.between(0, 2))), 0x40, 0];
  }

  // Statements -----------------------------------------------------------------------------------------------------

  #setLocal(depth: number): Bytes {
    const type = this.#random.pick(TYPES);
    return [...this.#value(type, depth), 0x21, ...u32(this.#localOf(type))];
  }

  #setGlobal(depth: number): Bytes {
    const type = this.#random.pick(TYPES);
    return [...this.#value(type, depth), 0x24, ...u32(this.#globalOf(type))];
  }

  #store(depth: number): Bytes {
    const { name, type } = this.#random.pick(nonEmpty([...STORES.values()]));
    return [...this.#address(depth), ...this.#value(type, depth), ...opcode(name), 0, ...u32(this.#offset())];
  }

  #drop(depth: number): Bytes {
    return [...this.#value(this.#random.pick(TYPES), depth), 0x1a];
  }

  #bulk(depth: number): Bytes {
    const length = [...this.#value("i32", depth), ...constant("i32", 0x3ffn), ...opcode("i32.and")];
    if (this.#random.chance(0.5))
      return [...this.#address(depth), ...this.#value("i32", depth), ...length, 0xfc, 11, 0];
    return [...this.#address(depth), ...this.#address(depth), ...length, 0xfc, 10, 0, 0];
  }

  #block(depth: number): Bytes {
    return [0x02, 0x40, ...this.#inside(null, () => this.#statements(depth - 1)), 0x0b];
  }

  /** Uses one unit of fuel per iteration, and ends when there is none. */
  #loop(depth: number): Bytes {
    const draft = () => [...TAKE_FUEL, ...this.#statements(depth - 1), ...this.#value("i32", 1), 0x0d, 0];
    return [0x03, 0x40, ...this.#inside(null, draft), 0x0b];
  }

  #ifElse(depth: number): Bytes {
    const half = () => this.#inside(null, () => this.#statements(depth - 1));
    const otherwise = this.#random.chance(0.6) ? [0x05, ...half()] : [];
    return [...this.#value("i32", depth - 1), 0x04, 0x40, ...half(), ...otherwise, 0x0b];
  }

  #call(depth: number): Bytes {
    const { callable } = this.#in;
    if (callable.length === 0) return [0x01];
    const index = this.#random.between(0, callable.length - 1);
    const signature = callable[index];
    if (signature === undefined) return [0x01];
    return [
      ...this.#arguments(signature, depth),
      0x10,
      ...u32(2 + index),
      ...(signature.result === null ? [] : [0x1a]),
    ];
  }

  #callIndirect(depth: number): Bytes {
    const { callable, types } = this.#in;
    if (callable.length === 0) return [0x01];
    const place = this.#random.chance(0.1) ? this.#random.between(0, LEAVES + 3) : this.#random.between(1, LEAVES);
    const signature = callable[Math.max(0, place - 1)] ?? callable[0];
    if (signature === undefined) return [0x01];
    const type = types.get(signatureKey(signature)) ?? 0;
    const call = [...this.#arguments(signature, depth), ...constant("i32", BigInt(place)), 0x11, ...u32(type), 0];
    return [...call, ...(signature.result === null ? [] : [0x1a])];
  }

  #arguments(signature: Signature, depth: number): Bytes {
    return signature.params.flatMap((param) => this.#value(param, depth - 1));
  }

  #branchIf(depth: number): Bytes {
    const { label, type } = this.#anyLabel();
    const value = type === null ? [] : this.#value(type, Math.min(depth, 1));
    return [...value, ...this.#value("i32", 1), 0x0d, ...u32(label), ...(type === null ? [] : [0x1a])];
  }

  /** In an if, because it would end every function early otherwise. */
  #branchByTable(depth: number): Bytes {
    const branch = (): Bytes => {
      const { type } = this.#anyLabel();
      const fitting = this.#labels.flatMap((label, index) => (label === type ? [this.#labels.length - 1 - index] : []));
      const target = (): Bytes => u32(this.#random.pick(nonEmpty(fitting)));
      const targets = Array.from({ length: this.#random.between(0, 6) }, target);
      const value = type === null ? [] : this.#value(type, Math.min(depth, 1));
      const index = [...this.#value("i32", 1), ...constant("i32", 7n), ...opcode("i32.and")];
      return [...value, ...index, 0x0e, ...u32(targets.length), ...targets.flat(), ...target()];
    };
    return [...this.#value("i32", 1), 0x04, 0x40, ...this.#inside(null, branch), 0x0b];
  }

  /** In an if, like a table of branches, and rarely: it ends the function too. */
  #return(depth: number): Bytes {
    const { result } = this.#in.signature;
    const code = (): Bytes => [...(result === null ? [] : this.#value(result, Math.min(depth, 1))), 0x0f];
    const isRare = [...this.#value("i32", 1), ...constant("i32", 15n), ...opcode("i32.and"), 0x45];
    return [...isRare, 0x04, 0x40, ...this.#inside(null, code), 0x0b];
  }

  /** Unreachable instructions after a branch. */
  #dead(depth: number): Bytes {
    const body = (): Bytes => [...this.#value("i32", 1), 0x0d, 0, 0x0c, 0, ...this.#statements(Math.min(depth - 1, 1))];
    return [0x02, 0x40, ...this.#inside(null, body), 0x0b];
  }

  // ----------------------------------------------------------------------------------------------------------------

  #inside(label: Label, write: () => Bytes): Bytes {
    this.#labels.push(label);
    const code = write();
    this.#labels.pop();
    return code;
  }

  /** Any enclosing label, including a loop's, which uses fuel per iteration. */
  #anyLabel(): { readonly label: number; readonly type: Label } {
    const index = this.#random.between(0, this.#labels.length - 1);
    return { label: this.#labels.length - 1 - index, type: this.#labels[index] ?? null };
  }

  #address(depth: number): Bytes {
    const value = this.#value("i32", Math.min(depth, 2));
    if (this.#in.options.memoryTraps === "some" && this.#random.chance(0.03)) return value;
    return [...value, ...constant("i32", 0xffffn), ...opcode("i32.and")];
  }

  #offset(): number {
    if (this.#in.options.memoryTraps === "some" && this.#random.chance(0.01))
      return this.#random.between(0, 0xffffffff);
    return this.#random.chance(0.5) ? 0 : this.#random.between(0, 60_000);
  }
}
