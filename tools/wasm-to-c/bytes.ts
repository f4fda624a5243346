// Reads the scalars of WebAssembly's binary format (https://webassembly.github.io/spec/core/binary/values.html) in
// order. Every bound is checked.

/** The module is malformed, or uses a feature that is not supported. The message names the place. */
export class WasmError extends Error {
  override readonly name = "WasmError";
}

/** Reads the module's bytes from `at` to `end`. Throws WasmError if they are malformed. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = at;
    this.#end = end;
  }

  /** The offset in the module of the next byte. */
  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  fail(what: string): never {
    throw new WasmError(`${what} (at byte ${this.#at})`);
  }

  byte(): number {
    const at = this.#take(1);
    return this.#bytes[at] ?? this.fail("unexpected end");
  }

  /** LEB128, unsigned, 32 bits. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffffffff) break;
        return value;
      }
    }
    return this.fail("an unsigned number has more than 32 bits");
  }

  /** LEB128, signed, of at most `bits` bits. Returns its two's complement as an unsigned number. */
  signed(bits: 32 | 64): bigint {
    let value = 0n;
    for (let shift = 0n; shift < BigInt(bits) + 6n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        const signed = (byte & 0x40) === 0 ? value : value - (1n << (shift + 7n));
        if (BigInt.asIntN(bits, signed) !== signed) break;
        return BigInt.asUintN(bits, signed);
      }
    }
    return this.fail(`a signed number has more than ${bits} bits`);
  }

  /** The bits of an IEEE 754 number. */
  f32Bits(): bigint {
    return BigInt(this.#view.getUint32(this.#take(4), true));
  }

  f64Bits(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  name(): string {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(this.slice(this.u32()));
    } catch {
      return this.fail("a name is not UTF-8");
    }
  }

  slice(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A reader of the next `length` bytes, which this reader skips. */
  part(length: number): ByteReader {
    const at = this.#take(length);
    return new ByteReader(this.#bytes, at, at + length);
  }

  /** Another reader at the same position. */
  copy(): ByteReader {
    return new ByteReader(this.#bytes, this.#at, this.#end);
  }

  /** A vector: its length, then that many items. */
  list<Item>(read: (index: number) => Item): Item[] {
    const length = this.u32();
    if (length > this.#end - this.#at) this.fail(`a list of ${length} does not fit`);
    return Array.from({ length }, (_, index) => read(index));
  }

  #take(length: number): number {
    if (length > this.#end - this.#at) this.fail("unexpected end");
    const at = this.#at;
    this.#at += length;
    return at;
  }
}
