// Reads instructions, with the operands after their opcodes. Control instructions have their own types; all others
// refer to the tables of operators.ts.
import type { ByteReader } from "./bytes.ts";
import type { Literal, ValueType } from "./module.ts";
import { type Access, LOADS, OPERATORS, type Operator, SATURATING, STORES } from "./operators.ts";
import { readLiteral, readValueType } from "./read-module.ts";

export type Instruction =
  | { readonly kind: "unreachable" | "nop" | "else" | "end" | "return" | "drop" | "select" }
  | { readonly kind: "memorySize" | "memoryGrow" | "memoryCopy" | "memoryFill" }
  | { readonly kind: "block" | "loop" | "if"; readonly result: ValueType | null }
  | { readonly kind: "br" | "brIf"; readonly depth: number }
  | { readonly kind: "brTable"; readonly depths: readonly number[]; readonly otherwise: number }
  | { readonly kind: "call"; readonly callee: number }
  | { readonly kind: "callIndirect"; readonly signature: number }
  | { readonly kind: "localGet" | "localSet" | "localTee" | "globalGet" | "globalSet"; readonly index: number }
  | { readonly kind: "load" | "store"; readonly access: Access; readonly offset: number }
  | { readonly kind: "constant"; readonly literal: Literal }
  | { readonly kind: "operator"; readonly operator: Operator };

const SIMPLE: Readonly<Record<number, Instruction>> = {
  0: { kind: "unreachable" },
  1: { kind: "nop" },
  5: { kind: "else" },
  11: { kind: "end" },
  15: { kind: "return" },
  26: { kind: "drop" },
  27: { kind: "select" },
};

const BLOCKS: Readonly<Record<number, "block" | "loop" | "if">> = { 2: "block", 3: "loop", 4: "if" };
const VARIABLES = { 32: "localGet", 33: "localSet", 34: "localTee", 35: "globalGet", 36: "globalSet" } as const;
const isVariable = (opcode: number): opcode is keyof typeof VARIABLES => opcode in VARIABLES;

/** Reads one instruction. Throws WasmError if it is unknown. */
export const readInstruction = (reader: ByteReader): Instruction => {
  const opcode = reader.byte();
  const simple = SIMPLE[opcode];
  if (simple !== undefined) return simple;
  const operator = OPERATORS.get(opcode);
  if (operator !== undefined) return { kind: "operator", operator };
  const literal = readLiteral(opcode, reader);
  if (literal !== null) return { kind: "constant", literal };
  if (isVariable(opcode)) return { kind: VARIABLES[opcode], index: reader.u32() };
  const block = BLOCKS[opcode];
  if (block !== undefined) return { kind: block, result: readBlockType(reader) };
  return readAccess(opcode, reader) ?? readOther(opcode, reader);
};

const NO_RESULT = 0x40;

const readBlockType = (reader: ByteReader): ValueType | null => {
  const ahead = reader.copy();
  if (ahead.byte() !== NO_RESULT) return readValueType(reader);
  reader.byte();
  return null;
};

const readAccess = (opcode: number, reader: ByteReader): Instruction | null => {
  const load = LOADS.get(opcode);
  const access = load ?? STORES.get(opcode);
  if (access === undefined) return null;
  // The alignment is only a hint.
  reader.u32();
  return { kind: load === undefined ? "store" : "load", access, offset: reader.u32() };
};

const readOther = (opcode: number, reader: ByteReader): Instruction => {
  switch (opcode) {
    case 0x0c:
      return { kind: "br", depth: reader.u32() };
    case 0x0d:
      return { kind: "brIf", depth: reader.u32() };
    case 0x0e:
      return { kind: "brTable", depths: reader.list(() => reader.u32()), otherwise: reader.u32() };
    case 0x10:
      return { kind: "call", callee: reader.u32() };
    case 0x11: {
      const signature = reader.u32();
      readOnlyPlace(reader, "table");
      return { kind: "callIndirect", signature };
    }
    case 0x3f:
      readOnlyPlace(reader, "memory");
      return { kind: "memorySize" };
    case 0x40:
      readOnlyPlace(reader, "memory");
      return { kind: "memoryGrow" };
    case 0xfc:
      return readPrefixed(reader);
    default:
      return reader.fail(`instruction 0x${opcode.toString(16)} is not supported`);
  }
};

const readPrefixed = (reader: ByteReader): Instruction => {
  const number = reader.u32();
  const operator = SATURATING[number];
  if (operator !== undefined) return { kind: "operator", operator };
  if (number !== 10 && number !== 11) reader.fail(`instruction 0xfc ${number} is not supported`);
  readOnlyPlace(reader, "memory");
  if (number === 11) return { kind: "memoryFill" };
  readOnlyPlace(reader, "memory");
  return { kind: "memoryCopy" };
};

const readOnlyPlace = (reader: ByteReader, what: string): void => {
  if (reader.u32() !== 0) reader.fail(`only one ${what} is supported`);
};
