// A WebAssembly module, as far as this translator supports it: functions with at most one result, one memory, one table
// of functions, globals of its own. Nothing here is specific to one module.
import type { ByteReader } from "./bytes.ts";

export type ValueType = "i32" | "i64" | "f32" | "f64";

export type Signature = {
  readonly params: readonly ValueType[];
  readonly result: ValueType | null;
};

/** The bits of a constant. */
export type Literal = { readonly type: ValueType; readonly bits: bigint };

export type ImportedFunction = {
  readonly kind: "imported";
  readonly name: string;
  readonly signature: Signature;
};

export type DefinedFunction = {
  readonly kind: "defined";
  readonly signature: Signature;
  /** Parameters first, then the function's own variables. */
  readonly locals: readonly ValueType[];
  /** Returns a reader of its instructions. */
  readonly code: () => ByteReader;
  readonly codeBytes: number;
};

export type WasmFunction = ImportedFunction | DefinedFunction;

export type Global = { readonly type: ValueType; readonly isMutable: boolean; readonly initial: Literal };

export type Export = { readonly kind: "function" | "global"; readonly name: string; readonly index: number };

export type Memory = { readonly pages: number; readonly maximumPages: number };

export type WasmModule = {
  /** By type index. */
  readonly signatures: readonly Signature[];
  /** By function index: imported ones first. */
  readonly functions: readonly WasmFunction[];
  readonly globals: readonly Global[];
  readonly exports: readonly Export[];
  readonly store: Memory;
  readonly tableSize: number;
  /** Functions by their first index in the table. */
  readonly elements: readonly { readonly at: number; readonly functions: readonly number[] }[];
  readonly data: readonly { readonly at: number; readonly bytes: Uint8Array }[];
};

/** `i32,i64>i32`: equal for equal signatures, even if their type indices differ. */
export const signatureKey = ({ params, result }: Signature): string => `${params.join(",")}>${result ?? ""}`;

/** A page of linear memory; a module of the first version has at most 65,536. */
export const MOST_PAGES = 65_536;
