// The part of Node's Buffer that crank uses, on the host.
import { decodeText, encodeText } from "../../src/host/engine/text.ts";

type Encoding = "utf8" | "utf-8" | "latin1" | "hex";
type Source = string | ArrayBuffer | ArrayLike<number>;

/** What String.fromCharCode takes at once. */
const SLICE = 4096;

type BytesConstructor = {
  new (length: number): Uint8Array;
  new (buffer: ArrayBufferLike, start?: number, length?: number): Uint8Array;
};

/** Uint8Array with its constructor alone: Buffer.from takes other things than Uint8Array.from. */
const Bytes: BytesConstructor = Uint8Array as BytesConstructor;

export class Buffer extends Bytes {
  static from(source: Source, encoding: Encoding = "utf8"): Buffer {
    if (typeof source !== "string") return source instanceof ArrayBuffer ? new Buffer(source) : copyOf(source);
    if (encoding !== "latin1") return viewOf(encodeText(source));
    const bytes = new Buffer(source.length);
    for (let at = 0; at < source.length; at++) bytes[at] = source.charCodeAt(at);
    return bytes;
  }

  static alloc(length: number): Buffer {
    return new Buffer(length);
  }

  static byteLength(text: string): number {
    return encodeText(text).length;
  }

  static concat(parts: readonly Uint8Array[]): Buffer {
    const all = new Buffer(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  static compare(one: Uint8Array, other: Uint8Array): number {
    const shared = Math.min(one.length, other.length);
    for (let at = 0; at < shared; at++) {
      const difference = (one[at] ?? 0) - (other[at] ?? 0);
      if (difference !== 0) return Math.sign(difference);
    }
    return Math.sign(one.length - other.length);
  }

  equals(other: Uint8Array): boolean {
    return Buffer.compare(this, other) === 0;
  }

  write(text: string, at = 0): number {
    const bytes = encodeText(text);
    this.set(bytes, at);
    return bytes.length;
  }

  utf8Write(text: string, at = 0): number {
    return this.write(text, at);
  }

  latin1Write(text: string, at = 0): number {
    for (let index = 0; index < text.length; index++) this[at + index] = text.charCodeAt(index);
    return text.length;
  }

  utf8Slice(from = 0, to = this.length): string {
    return this.toString("utf8", from, to);
  }

  latin1Slice(from = 0, to = this.length): string {
    return this.toString("latin1", from, to);
  }

  asciiSlice(from = 0, to = this.length): string {
    return this.toString("latin1", from, to);
  }

  override toString(encoding: Encoding = "utf8", from = 0, to = this.length): string {
    const part = new Uint8Array(this.buffer, this.byteOffset, this.length).subarray(from, to);
    if (encoding === "hex") return [...part].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    if (encoding !== "latin1") return decodeText(part);
    let text = "";
    for (let at = 0; at < part.length; at += SLICE) text += String.fromCharCode(...part.subarray(at, at + SLICE));
    return text;
  }
}

const copyOf = (source: ArrayLike<number>): Buffer => {
  const copy = new Buffer(source.length);
  copy.set(source);
  return copy;
};

const viewOf = (bytes: Uint8Array): Buffer => new Buffer(bytes.buffer, bytes.byteOffset, bytes.length);
