// Translates a whole module to C files: a header with all prototypes, the functions in a given number of files, the
// table and the globals, and the initial memory.
import { functionToC, prototypeOf, type Surroundings } from "./function-to-c.ts";
import { type DefinedFunction, type Literal, type Signature, signatureKey, type WasmModule } from "./module.ts";
import { openingOf } from "./opening.ts";
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
  const texts = functionTexts(module, surroundings);
  const include = `#include "${name}.h"\n`;
  const files = new Map<string, string>();
  files.set(`${name}.h`, header(module, texts, types));
  files.set(`${name}_tables.c`, include + tables(module, nameOf, tableType));
  files.set(`${name}_data.c`, include + data(module));
  functionFiles(texts, fileCount).forEach((text, index) => {
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

/** A function in C: what the header has of it, and its definition; null: it is imported. */
type FunctionText = {
  readonly name: string;
  readonly declaration: string;
  readonly definition: string | null;
  readonly codeBytes: number;
};

const functionTexts = (module: WasmModule, surroundings: Surroundings): readonly FunctionText[] =>
  module.functions.map((entry, index) => {
    const name = surroundings.nameOf(index);
    const prototype = prototypeOf(name, entry.signature);
    if (entry.kind === "imported") return { name, declaration: `${prototype};`, definition: null, codeBytes: 0 };
    return { name, ...definitionOf(entry, name, surroundings), codeBytes: entry.codeBytes };
  });

const definitionOf = (
  entry: DefinedFunction,
  name: string,
  surroundings: Surroundings,
): Pick<FunctionText, "declaration" | "definition"> => {
  const prototype = prototypeOf(name, entry.signature);
  const body = withName(name, () => functionToC(entry, surroundings));
  const opening = openingOf(body, entry.signature, entry.locals);
  if (opening === null) return { declaration: `${prototype};`, definition: blockOf(prototype, body) };
  const parameters = opening.locals.map((index) => `${C_TYPES[entry.locals[index] ?? "i32"]} l${index}`);
  const rest = `void rest_of_${name}(${parameters.join(", ") || "void"})`;
  const call = `rest_of_${name}(${opening.locals.map((index) => `l${index}`).join(", ")});`;
  const inlined = blockOf(`static inline ${prototype}`, [...opening.statements, call]);
  return { declaration: `${rest};\n${inlined}`, definition: blockOf(rest, opening.rest) };
};

const blockOf = (prototype: string, statements: readonly string[]): string =>
  `${prototype} {\n${statements.join("\n")}\n}\n`;

/** Puts the name of the function before the message of an error. */
const withName = <T>(name: string, act: () => T): T => {
  try {
    return act();
  } catch (error) {
    if (error instanceof Error) error.message = `${name}: ${error.message}`;
    throw error;
  }
};

const header = (module: WasmModule, texts: readonly FunctionText[], types: ReadonlyMap<string, Signature>): string => {
  const lines = [
    "#pragma once",
    '#include "wasm.h"',
    `enum { WASM_TABLE_SIZE = ${module.tableSize}, WASM_FIRST_PAGES = ${module.store.pages},`,
    `       WASM_MOST_PAGES = ${module.store.maximumPages} };`,
    `enum { ${[...types.values()].map((signature, index) => `${typeName(signature)} = ${index + 1}`).join(", ")} };`,
    ...module.globals.map(({ type }, index) => `extern ${C_TYPES[type]} g${index};`),
    "void wasm_data_init(void);",
    ...texts.map(({ declaration }) => declaration),
  ];
  for (const { kind, name, index } of module.exports) {
    const target = kind === "global" ? `g${index}` : (texts[index]?.name ?? "");
    if (target !== `export_${name}`) lines.push(`#define export_${name} ${target}`);
  }
  return `${lines.join("\n")}\n`;
};

/** Divides the functions, in order, into files of about the same size, which can be compiled in parallel. */
const functionFiles = (texts: readonly FunctionText[], fileCount: number): readonly string[] => {
  const total = texts.reduce((sum, { codeBytes }) => sum + codeBytes, 0);
  const files = Array.from({ length: fileCount }, (): string[] => []);
  let before = 0;
  for (const { definition, codeBytes } of texts) {
    if (definition === null) continue;
    const file = Math.min(fileCount - 1, Math.floor((before * fileCount) / Math.max(1, total)));
    files[file]?.push(definition);
    before += codeBytes;
  }
  return files.map((definitions) => definitions.join("\n"));
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
