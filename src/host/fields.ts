// Numbers and texts to bytes and back, several in one call. A layout has a letter for each: `b`, `w`, `i`, `q` for u8, u32, i32,
// u64, little-endian; `t` for a text and `y` for bytes, whose length is in four bytes before them.

export type Field = number | string | Uint8Array;

export type Fields = {
  /**
   * Writes values from `start` on; what is undefined behind the last letter does not count. Returns where they end, or -1 if
   * they are not what the layout says, do not fit, or this host does not do that.
   */
  pack(bytes: Uint8Array, start: number, layout: string, a: unknown, b: unknown, c: unknown): number;
  /** The values from `start` to `end`; -1 if they are not what the layout says, or this host does not do that. */
  unpack(bytes: Uint8Array, start: number, end: number, layout: string): readonly Field[] | number;
};
