// What a WebAssembly module holds, as far as this translator takes it: functions with at most one result, one memory, one
// table of functions, globals of its own. Nothing here is specific to one module.
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
  /** Its parameters, then its own variables. */
  readonly locals: readonly ValueType[];
  /** Gives a reader of its instructions, from the first one. */
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
  readonly memory: Memory;
  readonly tableSize: number;
  /** Functions by the place in the table where they start. */
  readonly elements: readonly { readonly at: number; readonly functions: readonly number[] }[];
  readonly data: readonly { readonly at: number; readonly bytes: Uint8Array }[];
};

/** `i32,i64>i32`: the same for signatures that are equal, whatever their type indices. */
export const signatureKey = ({ params, result }: Signature): string => `${params.join(",")}>${result ?? ""}`;

/** A page of linear memory; a module of the first version has at most 65,536. */
export const MOST_PAGES = 65_536;
