// Translates a whole module to C files: a header with all prototypes, the functions in a given number of files, the
// table and the globals, and the initial memory.
import { functionToC, prototypeOf, type Surroundings } from "./function-to-c.ts";
import { type DefinedFunction, type Literal, type Signature, signatureKey, type WasmModule } from "./module.ts";
import { C_TYPES } from "./operators.ts";

/** By file name. */
export type CFiles = ReadonlyMap<string, string>;

/** Translates a module into `name.h`, `name_tables.c`, `name_data.c` and `name_0.c` … Throws WasmError. */
export const moduleToC = (module: WasmModule, name: string, fileCount: number): CFiles => {
  const names = functionNames(module);
  const types = tableTypes(module);
  const nameOf = (index: number): string => names[index] ?? "";
  const tableType = (signature: Signature): string => typeName(signature);
  const surroundings: Surroundings = { ...module, nameOf, tableType };
  const include = `#include "${name}.h"\n`;
  const files = new Map<string, string>();
  files.set(`${name}.h`, header(module, nameOf, types));
  files.set(`${name}_tables.c`, include + tables(module, nameOf, tableType));
  files.set(`${name}_data.c`, include + data(module));
  functionFiles(module, surroundings, fileCount).forEach((text, index) => {
    files.set(`${name}_${index}.c`, include + text);
  });
  return files;
};

/** `export_NAME` for exported functions, `import_NAME` for imported ones, `fnN` for the rest. */
const functionNames = ({ functions, exports }: WasmModule): readonly string[] => {
  const names = functions.map((entry, index) => (entry.kind === "imported" ? `import_${entry.name}` : `fn${index}`));
  for (const { kind, name, index } of exports)
    if (kind === "function" && names[index] === `fn${index}`) names[index] = `export_${name}`;
  return names;
};

const tableTypes = ({ signatures }: WasmModule): ReadonlyMap<string, Signature> =>
  new Map(signatures.map((signature) => [signatureKey(signature), signature]));

/** `TYPE_i32_i64_to_i32` */
const typeName = ({ params, result }: Signature): string => `TYPE_${[...params, "to", result ?? "void"].join("_")}`;

const header = (
  module: WasmModule,
  nameOf: (index: number) => string,
  types: ReadonlyMap<string, Signature>,
): string => {
  const lines = [
    "#pragma once",
    '#include "wasm.h"',
    `enum { WASM_TABLE_SIZE = ${module.tableSize}, WASM_FIRST_PAGES = ${module.store.pages},`,
    `       WASM_MOST_PAGES = ${module.store.maximumPages} };`,
    `enum { ${[...types.values()].map((signature, index) => `${typeName(signature)} = ${index + 1}`).join(", ")} };`,
    ...module.globals.map(({ type }, index) => `extern ${C_TYPES[type]} g${index};`),
    "void wasm_data_init(void);",
    ...module.functions.map(({ signature }, index) => `${prototypeOf(nameOf(index), signature)};`),
  ];
  for (const { kind, name, index } of module.exports) {
    const target = kind === "global" ? `g${index}` : nameOf(index);
    if (target !== `export_${name}`) lines.push(`#define export_${name} ${target}`);
  }
  return `${lines.join("\n")}\n`;
};

/** Divides the functions, in order, into files of about the same size, which can be compiled in parallel. */
const functionFiles = (module: WasmModule, surroundings: Surroundings, fileCount: number): readonly string[] => {
  const defined = module.functions.flatMap((entry, index) => (entry.kind === "defined" ? [{ entry, index }] : []));
  const total = defined.reduce((sum, { entry }) => sum + entry.codeBytes, 0);
  const files = Array.from({ length: fileCount }, (): string[] => []);
  let before = 0;
  for (const { entry, index } of defined) {
    const file = Math.min(fileCount - 1, Math.floor((before * fileCount) / Math.max(1, total)));
    files[file]?.push(functionText(entry, surroundings.nameOf(index), surroundings));
    before += entry.codeBytes;
  }
  return files.map((texts) => texts.join("\n"));
};

const functionText = (entry: DefinedFunction, name: string, surroundings: Surroundings): string => {
  try {
    return `${prototypeOf(name, entry.signature)} {\n${functionToC(entry, surroundings)}\n}\n`;
  } catch (error) {
    if (error instanceof Error) error.message = `${name}: ${error.message}`;
    throw error;
  }
};

const tables = (
  { globals, elements, functions }: WasmModule,
  nameOf: (index: number) => string,
  tableType: (signature: Signature) => string,
): string => {
  const entries = elements.flatMap((segment) =>
    segment.functions.map((index, place) => {
      const signature = functions[index]?.signature;
      const type = signature === undefined ? "0" : tableType(signature);
      return `[${segment.at + place}] = {(wasm_function *)${nameOf(index)}, ${type}},`;
    }),
  );
  return [
    ...globals.map(({ type, initial }, index) => `${C_TYPES[type]} g${index} = ${initialToC(initial)};`),
    // C does not allow empty arrays.
    "struct wasm_entry wasm_table[WASM_TABLE_SIZE + WASM_TABLE_ROOM + 1] = {",
    ...entries,
    "};",
    "u32 wasm_table_size = WASM_TABLE_SIZE;",
    "",
  ].join("\n");
};

/** In C an initial value must be a constant expression, not a call, so a float is written in digits. */
const initialToC = ({ type, bits }: Literal): string => {
  if (type === "i32" || type === "i64") return `${bits}u${type === "i64" ? "ll" : ""}`;
  const view = new DataView(new ArrayBuffer(8));
  if (type === "f32") view.setUint32(0, Number(bits));
  else view.setBigUint64(0, bits);
  const value = type === "f32" ? view.getFloat32(0) : view.getFloat64(0);
  if (Number.isNaN(value)) return '__builtin_nan("")';
  if (!Number.isFinite(value)) return value > 0 ? "__builtin_inf()" : "-__builtin_inf()";
  // JavaScript prints enough digits to restore the same number.
  return Object.is(value, -0) ? "-0.0" : `${value}${/[.e]/.test(String(value)) ? "" : ".0"}`;
};

const BYTES_IN_A_LINE = 40;

const data = ({ data: segments }: WasmModule): string => {
  const lines = segments.flatMap(({ bytes }, index) => {
    const rows = [];
    for (let at = 0; at < bytes.length; at += BYTES_IN_A_LINE)
      rows.push(`${bytes.subarray(at, at + BYTES_IN_A_LINE).join(",")},`);
    return [`static const u8 d${index}[] = {`, ...rows, "0};"];
  });
  const moves = segments.map(({ at, bytes }, index) => `wasm_memory_put(${at}u, d${index}, ${bytes.length}u);`);
  return [...lines, "void wasm_data_init(void) {", ...moves, "}", ""].join("\n");
};
