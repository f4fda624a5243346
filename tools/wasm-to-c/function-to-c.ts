// Translates one function, instruction by instruction, and checks the types of all operands. Unreachable code is
// skipped, because nothing depends on it.
import { Blocks } from "./blocks.ts";
import type { ByteReader } from "./bytes.ts";
import { type Instruction, readInstruction } from "./instructions.ts";
import type { DefinedFunction, Literal, Signature, ValueType } from "./module.ts";
import { fixed, OperandStack } from "./operands.ts";
import { type Access, C_TYPES } from "./operators.ts";

/** The parts of the module that a function refers to. */
export type Surroundings = {
  readonly signatures: readonly Signature[];
  readonly globals: readonly { readonly type: ValueType; readonly isMutable: boolean }[];
  readonly functions: readonly { readonly signature: Signature }[];
  /** The C name of a function. */
  readonly nameOf: (index: number) => string;
  /** The table's number of a signature. */
  readonly tableType: (signature: Signature) => string;
};

type Kind = Instruction["kind"];
/** The instruction type of this kind; several kinds may share one. */
type Of<K extends Kind, I extends Instruction = Instruction> = I extends Instruction
  ? K extends I["kind"]
    ? I
    : never
  : never;
type Handlers = { readonly [K in Kind]: (instruction: Of<K>) => void };

/** `u32 name(u32 l0, u64 l1)` */
export const prototypeOf = (name: string, { params, result }: Signature): string =>
  `${cResult(result)} ${name}(${params.map((type, index) => `${C_TYPES[type]} l${index}`).join(", ") || "void"})`;

/** The body of a function as C statements. Throws WasmError. */
export const functionToC = (definition: DefinedFunction, surroundings: Surroundings): readonly string[] =>
  new FunctionTranslator(definition, surroundings).translate();

const cResult = (result: ValueType | null): string => (result === null ? "void" : C_TYPES[result]);

/** A constant by its bits: exact for every number, and any NaN keeps its bits. */
const literalToC = ({ type, bits }: Literal): string => {
  if (type === "i32") return `${bits}u`;
  if (type === "i64") return `${bits}ull`;
  return type === "f32" ? `f32_reinterpret_i32(${bits}u)` : `f64_reinterpret_i64(${bits}ull)`;
};

class FunctionTranslator {
  readonly #definition: DefinedFunction;
  readonly #surroundings: Surroundings;
  readonly #reader: ByteReader;
  readonly #out: string[] = [];
  readonly #stack: OperandStack;
  readonly #blocks: Blocks;
  #isReached = true;
  /** Blocks opened since the code became unreachable. */
  #skipped = 0;

  constructor(definition: DefinedFunction, surroundings: Surroundings) {
    this.#definition = definition;
    this.#surroundings = surroundings;
    this.#reader = definition.code();
    this.#stack = new OperandStack(this.#out, this.#reader);
    this.#blocks = new Blocks(this.#out, this.#reader, this.#stack);
  }

  translate(): readonly string[] {
    const { locals, signature } = this.#definition;
    for (let index = signature.params.length; index < locals.length; index++)
      this.#out.push(`${C_TYPES[this.#localType(index)]} l${index} = 0;`);
    this.#blocks.enter("function", signature.result);
    while (!this.#blocks.isEmpty) this.#take(readInstruction(this.#reader));
    if (!this.#reader.isAtEnd) this.#reader.fail("a function goes on behind its end");
    return this.#out;
  }

  #take(instruction: Instruction): void {
    if (!this.#isReached && this.#isSkipped(instruction.kind)) return;
    // Safe cast: the handler was looked up by the instruction's kind.
    (this.#handlers[instruction.kind] as (instruction: Instruction) => void)(instruction);
  }

  #isSkipped(kind: Kind): boolean {
    if (kind === "block" || kind === "loop" || kind === "if") this.#skipped++;
    else if (kind === "end" && this.#skipped > 0) this.#skipped--;
    else return !((kind === "end" || kind === "else") && this.#skipped === 0);
    return true;
  }

  readonly #handlers: Handlers = {
    nop: () => {},
    unreachable: () => this.#goNoFurther("wasm_trap(TRAP_UNREACHABLE);"),
    block: ({ result }) => this.#blocks.enter("block", result),
    loop: ({ result }) => this.#blocks.enter("loop", result),
    if: ({ result }) => this.#blocks.enterIf(this.#stack.pop("i32"), result),
    else: () => {
      this.#blocks.otherwise(this.#isReached);
      this.#isReached = true;
    },
    end: () => {
      this.#isReached = this.#blocks.leave(this.#isReached);
    },
    br: ({ depth }) => this.#branch(depth),
    brIf: ({ depth }) => this.#branchIf(depth),
    brTable: ({ depths, otherwise }) => this.#branchByTable(depths, otherwise),
    return: () => this.#branch(this.#blocks.outermost),
    call: ({ callee }) => this.#call(callee),
    callIndirect: ({ signature }) => this.#callIndirect(signature),
    drop: () => {
      this.#stack.pop(null);
    },
    select: () => this.#select(),
    localGet: ({ index }) => this.#pushLocal(index),
    localSet: ({ index }) => this.#setLocal(index),
    localTee: ({ index }) => {
      this.#setLocal(index);
      this.#pushLocal(index);
    },
    globalGet: ({ index }) => this.#stack.pushNow(`g${index}`, this.#global(index).type),
    globalSet: ({ index }) => this.#setGlobal(index),
    load: ({ access, offset }) => this.#load(access, offset),
    store: ({ access, offset }) => {
      const value = this.#stack.pop(access.type);
      this.#out.push(`store_${access.memory}(${this.#address(offset)}, (${access.memory})${value.c});`);
    },
    memorySize: () => this.#stack.pushNow("wasm_memory_pages", "i32"),
    memoryGrow: () => this.#stack.pushNow(`wasm_memory_grow(${this.#stack.pop("i32").c})`, "i32"),
    memoryCopy: () => this.#statement("wasm_memory_copy", ["i32", "i32", "i32"]),
    memoryFill: () => this.#statement("wasm_memory_fill", ["i32", "i32", "i32"]),
    constant: ({ literal }) => this.#stack.push(fixed(literalToC(literal), literal.type)),
    operator: ({ operator }) => {
      const operands = this.#stack.popAll(operator.params);
      const c = operator.c(...operands.map((operand) => operand.c));
      if (operator.canTrap) this.#stack.pushNow(c, operator.result);
      else this.#stack.pushMadeOf(operands, c, operator.result);
    },
  };

  #goNoFurther(statement: string): void {
    this.#out.push(statement);
    this.#isReached = false;
  }

  #branch(depth: number): void {
    const type = this.#blocks.valueOf(depth);
    this.#goNoFurther(this.#blocks.branch(depth, type === null ? null : this.#stack.pop(type)));
  }

  /** If the branch is not taken, its value stays on the stack. */
  #branchIf(depth: number): void {
    const condition = this.#stack.pop("i32");
    const type = this.#blocks.valueOf(depth);
    const value = type === null ? null : this.#stack.pop(type);
    this.#out.push(`if (${condition.c}) ${this.#blocks.branch(depth, value)}`);
    if (value !== null) this.#stack.push(value);
  }

  #branchByTable(depths: readonly number[], otherwise: number): void {
    const index = this.#stack.pop("i32");
    const type = this.#blocks.valueOf(otherwise);
    const value = type === null ? null : this.#stack.pop(type);
    const cases = new Map<number, string[]>();
    depths.forEach((depth, place) => {
      if (this.#blocks.valueOf(depth) !== type) this.#reader.fail("a table of branches leads to blocks of two types");
      if (depth !== otherwise) cases.set(depth, [...(cases.get(depth) ?? []), `case ${place}:`]);
    });
    this.#out.push(`switch (${index.c}) {`);
    for (const [depth, labels] of cases) this.#out.push(`${labels.join(" ")} ${this.#blocks.branch(depth, value)}`);
    this.#goNoFurther(`default: ${this.#blocks.branch(otherwise, value)} }`);
  }

  #call(callee: number): void {
    const signature = this.#surroundings.functions[callee]?.signature;
    if (signature === undefined) this.#reader.fail(`there is no function ${callee}`);
    else this.#pushCall(this.#surroundings.nameOf(callee), signature);
  }

  #callIndirect(index: number): void {
    const signature = this.#surroundings.signatures[index] ?? this.#reader.fail(`there is no type ${index}`);
    const place = this.#stack.pop("i32");
    const parameters = signature.params.map((type) => C_TYPES[type]).join(", ") || "void";
    const entry = `wasm_entry(${place.c}, ${this.#surroundings.tableType(signature)})`;
    this.#pushCall(`((${cResult(signature.result)} (*)(${parameters}))${entry})`, signature);
  }

  #pushCall(callee: string, { params, result }: Signature): void {
    const operands = this.#stack.popAll(params);
    const c = `${callee}(${operands.map((operand) => operand.c).join(", ")})`;
    if (result === null) this.#out.push(`${c};`);
    else this.#stack.pushNow(c, result);
  }

  #statement(callee: string, params: readonly ValueType[]): void {
    this.#pushCall(callee, { params, result: null });
  }

  /** Neither operand has side effects, so C may evaluate only the chosen one. */
  #select(): void {
    const condition = this.#stack.pop("i32");
    const otherwise = this.#stack.pop(null);
    const chosen = this.#stack.pop(otherwise.type);
    const operands = [chosen, otherwise, condition];
    this.#stack.pushMadeOf(operands, `(${condition.c} ? ${chosen.c} : ${otherwise.c})`, chosen.type);
  }

  #localType(index: number): ValueType {
    return this.#definition.locals[index] ?? this.#reader.fail(`there is no local ${index}`);
  }

  #pushLocal(index: number): void {
    this.#stack.push({ c: `l${index}`, type: this.#localType(index), locals: new Set([index]) });
  }

  #setLocal(index: number): void {
    const value = this.#stack.pop(this.#localType(index));
    this.#stack.settle(index);
    if (value.c !== `l${index}`) this.#out.push(`l${index} = ${value.c};`);
  }

  #global(index: number): Surroundings["globals"][number] {
    return this.#surroundings.globals[index] ?? this.#reader.fail(`there is no global ${index}`);
  }

  #setGlobal(index: number): void {
    const { type, isMutable } = this.#global(index);
    if (!isMutable) this.#reader.fail(`global ${index} cannot be set`);
    this.#out.push(`g${index} = ${this.#stack.pop(type).c};`);
  }

  /** 33 bits wide: address and offset together can exceed 4 GiB, where nothing is mapped. */
  #address(offset: number): string {
    const address = this.#stack.pop("i32");
    return offset === 0 ? `(u64)${address.c}` : `(u64)${address.c} + ${offset}u`;
  }

  /** Evaluated at once, because a later store may change the value. */
  #load({ type, memory }: Access, offset: number): void {
    const loaded = `load_${memory}(${this.#address(offset)})`;
    const isSigned = memory.startsWith("s");
    this.#stack.pushNow(isSigned ? `(${C_TYPES[type]})(${type === "i32" ? "s32" : "s64"})${loaded}` : loaded, type);
  }
}
