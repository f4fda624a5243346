// UTF-8 on the engine's host calls: TextEncoder and TextDecoder (https://encoding.spec.whatwg.org), as far as crank
// uses them.
import { calls } from "./calls.ts";

export const encodeText = (text: string): Uint8Array => calls.encode(text);

/** Invalid bytes become U+FFFD. */
export const decodeText = (bytes: Uint8Array): string => calls.decode(bytes, 0, bytes.length, false) ?? "";

export class EngineTextEncoder {
  readonly encoding = "utf-8";

  encode(text = ""): Uint8Array {
    return encodeText(text);
  }
}

type DecoderOptions = { readonly fatal?: boolean; readonly ignoreBOM?: boolean };

/** U+FEFF at the start marks UTF-8 and is not part of the text. */
const beginsWithBom = (bytes: Uint8Array): boolean => bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
const BOM_BYTES = 3;
const NOTHING = new Uint8Array(0);
/** By label, as in the standard: latin1 means windows-1252. */
const ENCODINGS: Readonly<Record<string, "utf-8" | "windows-1252">> = {
  "utf-8": "utf-8",
  utf8: "utf-8",
  latin1: "windows-1252",
};

/** The characters of windows-1252 from 0x80 on; all others have their own number (index-windows-1252.txt). */
const FROM_0X80 =
  "\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f" +
  "\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178";

const decodeWindows1252 = (bytes: Uint8Array): string => {
  let text = "";
  for (const byte of bytes) text += byte >= 0x80 && byte < 0xa0 ? FROM_0X80[byte - 0x80] : String.fromCharCode(byte);
  return text;
};

export class EngineTextDecoder {
  readonly encoding: "utf-8" | "windows-1252";
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  /** An incomplete character. */
  #rest: Uint8Array = NOTHING;
  #isAtStart = true;

  constructor(label = "utf-8", { fatal = false, ignoreBOM = false }: DecoderOptions = {}) {
    const encoding = ENCODINGS[label.toLowerCase()];
    if (encoding === undefined) throw new RangeError(`the encoding ${label} is not supported`);
    this.encoding = encoding;
    this.fatal = fatal;
    this.ignoreBOM = ignoreBOM;
  }

  /**
   * Throws TypeError if it is fatal and `bytes` are not UTF-8. With `stream`, a character may continue in the next
   * call.
   */
  decode(bytes: Uint8Array = NOTHING, options?: { readonly stream?: boolean }): string {
    if (this.encoding === "windows-1252") return decodeWindows1252(bytes);
    const isPart = options?.stream === true;
    const all = joined(this.#rest, bytes);
    const end = isPart ? wholeCharacters(all) : all.length;
    this.#rest = end < all.length ? all.slice(end) : NOTHING;
    const start = this.#isAtStart && !this.ignoreBOM && beginsWithBom(all) ? Math.min(BOM_BYTES, end) : 0;
    if (!isPart) this.#isAtStart = true;
    else if (end > 0) this.#isAtStart = false;
    const text = calls.decode(all, start, end - start, this.fatal);
    if (text === undefined) throw new TypeError("the bytes are not UTF-8");
    return text;
  }
}

const joined = (one: Uint8Array, other: Uint8Array): Uint8Array => {
  if (one.length === 0) return other;
  const all = new Uint8Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
};

/** The length of `bytes` without an incomplete character at the end. */
const wholeCharacters = (bytes: Uint8Array): number => {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
};
