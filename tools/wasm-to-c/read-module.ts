// Reads a module's sections (https://webassembly.github.io/spec/core/binary/modules.html). Unsupported features are
// refused: such a module is an error, never a wrong program.
import { ByteReader, WasmError } from "./bytes.ts";
import {
  type DefinedFunction,
  type Export,
  type Global,
  type ImportedFunction,
  type Literal,
  type Memory,
  MOST_PAGES,
  type Signature,
  type ValueType,
  type WasmModule,
} from "./module.ts";

const MAGIC = 0x6d736100;
const VERSION = 1;

const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
} as const;

const VALUE_TYPES: Readonly<Record<number, ValueType>> = { 127: "i32", 126: "i64", 125: "f32", 124: "f64" };

/** Reads a whole module. Throws WasmError. */
export const readModule = (bytes: Uint8Array): WasmModule => {
  const sections = sectionsOf(bytes);
  const read = <Item>(id: number, item: (reader: ByteReader, index: number) => Item): Item[] => {
    const reader = sections.get(id);
    if (reader === undefined) return [];
    const items = reader.list((index) => item(reader, index));
    if (!reader.isAtEnd) reader.fail(`section ${id} is longer than what is in it`);
    return items;
  };

  if (sections.has(SECTION.start)) throw new WasmError("a start function is not supported");
  const signatures = read(SECTION.type, readSignature);
  const signatureAt = (reader: ByteReader): Signature => at(signatures, reader.u32(), "type", reader);
  const imports = read(SECTION.import, (reader) => readImport(reader, signatureAt));
  const declared = read(SECTION.function, signatureAt);
  const tables = read(SECTION.table, readTable);
  const memories = read(SECTION.memory, readMemory);
  const globals = read(SECTION.global, readGlobal);
  const exports = read(SECTION.export, readExport).filter((entry) => entry !== null);
  const elements = read(SECTION.element, (reader) => ({
    at: readOffset(reader),
    functions: reader.list(() => reader.u32()),
  }));
  const bodies = read(SECTION.code, (reader, index) => readBody(reader, at(declared, index, "function", reader)));
  const data = read(SECTION.data, (reader) => ({ at: readOffset(reader), bytes: reader.slice(reader.u32()) }));

  if (bodies.length !== declared.length) throw new WasmError("not every function has a body");
  if (tables.length > 1 || memories.length > 1) throw new WasmError("more than one table or memory is not supported");
  const module: WasmModule = {
    signatures,
    functions: [...imports, ...bodies],
    globals,
    exports,
    store: memories[0] ?? { pages: 0, maximumPages: 0 },
    tableSize: tables[0] ?? 0,
    elements,
    data,
  };
  checkPlaces(module);
  return module;
};

/** The sections by their ids, each with a reader of its content. Custom sections are skipped. */
const sectionsOf = (bytes: Uint8Array): ReadonlyMap<number, ByteReader> => {
  const reader = new ByteReader(bytes);
  const header = new DataView(reader.slice(8).slice().buffer);
  if (header.getUint32(0, true) !== MAGIC) throw new WasmError("this is not a WebAssembly module");
  if (header.getUint32(4, true) !== VERSION) throw new WasmError("only version 1 of the binary format is supported");
  const sections = new Map<number, ByteReader>();
  while (!reader.isAtEnd) {
    const id = reader.byte();
    const content = reader.part(reader.u32());
    if (id === SECTION.custom || id === SECTION.dataCount) continue;
    if (id > SECTION.dataCount) reader.fail(`section ${id} is not known`);
    if (sections.has(id)) reader.fail(`section ${id} is there twice`);
    sections.set(id, content);
  }
  return sections;
};

const at = <Item>(items: readonly Item[], index: number, what: string, reader: ByteReader): Item =>
  items[index] ?? reader.fail(`there is no ${what} ${index}`);

export const readValueType = (reader: ByteReader): ValueType => {
  const code = reader.byte();
  return VALUE_TYPES[code] ?? reader.fail(`value type 0x${code.toString(16)} is not supported`);
};

const readSignature = (reader: ByteReader): Signature => {
  if (reader.byte() !== 0x60) reader.fail("only function types are supported");
  const params = reader.list(() => readValueType(reader));
  const results = reader.list(() => readValueType(reader));
  if (results.length > 1) reader.fail("a function with more than one result is not supported");
  return { params, result: results[0] ?? null };
};

const readImport = (reader: ByteReader, signatureAt: (reader: ByteReader) => Signature): ImportedFunction => {
  reader.name();
  const name = reader.name();
  if (reader.byte() !== 0) reader.fail(`the import ${name} is not a function, and only functions can be imported`);
  return { kind: "imported", name, signature: signatureAt(reader) };
};

const readLimits = (reader: ByteReader): { readonly minimum: number; readonly maximum: number | null } => {
  const flags = reader.byte();
  if (flags > 1) reader.fail("shared and 64-bit memories are not supported");
  const minimum = reader.u32();
  return { minimum, maximum: flags === 1 ? reader.u32() : null };
};

/** Tables cannot grow here, so their maximum is ignored. */
const readTable = (reader: ByteReader): number => {
  if (reader.byte() !== 0x70) reader.fail("only a table of functions is supported");
  return readLimits(reader).minimum;
};

const readMemory = (reader: ByteReader): Memory => {
  const { minimum, maximum } = readLimits(reader);
  const maximumPages = maximum ?? MOST_PAGES;
  if (minimum > maximumPages || maximumPages > MOST_PAGES) reader.fail("a memory is larger than 4 GiB");
  return { pages: minimum, maximumPages };
};

const readGlobal = (reader: ByteReader): Global => {
  const type = readValueType(reader);
  const isMutable = reader.byte() === 1;
  const initial = readConstant(reader);
  if (initial.type !== type) reader.fail("a global starts with a value of another type");
  return { type, isMutable, initial };
};

/** A constant expression: one constant and `end`. */
const readConstant = (reader: ByteReader): Literal => {
  const opcode = reader.byte();
  const literal = readLiteral(opcode, reader) ?? reader.fail("only a constant can be an initial value");
  if (reader.byte() !== 0x0b) reader.fail("only a single constant can be an initial value");
  return literal;
};

/** The constant of one of the four constant instructions; null for any other opcode. */
export const readLiteral = (opcode: number, reader: ByteReader): Literal | null => {
  if (opcode === 0x41) return { type: "i32", bits: reader.signed(32) };
  if (opcode === 0x42) return { type: "i64", bits: reader.signed(64) };
  if (opcode === 0x43) return { type: "f32", bits: reader.f32Bits() };
  return opcode === 0x44 ? { type: "f64", bits: reader.f64Bits() } : null;
};

/** The place of an active segment in the only table or memory. */
const readOffset = (reader: ByteReader): number => {
  if (reader.u32() !== 0) reader.fail("passive segments, and those of another table or memory, are not supported");
  const { type, bits } = readConstant(reader);
  return type === "i32" ? Number(bits) : reader.fail("a segment's place is not an i32");
};

const EXPORT_KINDS = ["function", "table", "memory", "global"] as const;

/** null for the table and the memory: translated code has only one of each. */
const readExport = (reader: ByteReader): Export | null => {
  const name = reader.name();
  const kind = EXPORT_KINDS[reader.byte()] ?? reader.fail(`the export ${name} is of no known kind`);
  const index = reader.u32();
  return kind === "function" || kind === "global" ? { kind, name, index } : null;
};

/** More variables than any compiler makes: limits the memory that one wrong byte can cost. */
const MOST_LOCALS = 50_000;

const readBody = (reader: ByteReader, signature: Signature): DefinedFunction => {
  const body = reader.part(reader.u32());
  const locals = [...signature.params];
  body.list(() => {
    const count = body.u32();
    const type = readValueType(body);
    if (locals.length + count > MOST_LOCALS) body.fail("a function has too many variables");
    for (let index = 0; index < count; index++) locals.push(type);
  });
  const start = body.at;
  const codeBytes = reader.at - start;
  return { kind: "defined", signature, locals, code: () => body.copy(), codeBytes };
};

/** Checks that every index exists and every segment is inside its table or memory. */
const checkPlaces = ({ functions, globals, exports, elements, data, tableSize, store }: WasmModule): void => {
  for (const { kind, name, index } of exports)
    if (index >= (kind === "function" ? functions : globals).length)
      throw new WasmError(`the export ${name} is of a ${kind} that does not exist`);
  for (const segment of elements) {
    if (segment.at + segment.functions.length > tableSize) throw new WasmError("an element segment leaves the table");
    if (segment.functions.some((index) => index >= functions.length))
      throw new WasmError("the table holds a function that does not exist");
  }
  if (data.some((segment) => segment.at + segment.bytes.length > store.pages * 65_536))
    throw new WasmError("a data segment leaves the memory");
};
