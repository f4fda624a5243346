// Encodes and decodes several numbers and texts in one call. A layout has one letter for each: `b`, `w`, `i`, `q` for
// u8, u32, i32, u64, little-endian; `t` for a text and `y` for bytes, after a length of four bytes.

export type Field = number | string | Uint8Array;

export type Fields = {
  /**
   * Writes values from `start` on. Undefined values after the last letter are ignored. Returns where they end, or -1 if
   * they do not match the layout, do not fit, or this host does not implement it.
   */
  pack(bytes: Uint8Array, start: number, layout: string, a: unknown, b: unknown, c: unknown): number;
  /** The values from `start` to `end`; -1 if they do not match the layout, or this host does not implement it. */
  unpack(bytes: Uint8Array, start: number, end: number, layout: string): readonly Field[] | number;
};
