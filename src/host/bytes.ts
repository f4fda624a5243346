// What bytes and texts need besides the functions that they have.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** UTF-8. */
export const bytesOf = (text: string): Uint8Array => encoder.encode(text);

/** What is not UTF-8 becomes U+FFFD. */
export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes);

/** How many bytes a text has as UTF-8. */
export const byteLength = (text: string): number => encoder.encode(text).length;

export const joinBytes = (parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

export const areSameBytes = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, at) => byte === other[at]);

export const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** ISO 8859-1: each byte is the character of its number. */
export const latin1Of = (bytes: Uint8Array): string => {
  let text = "";
  for (let at = 0; at < bytes.length; at += SLICE) text += String.fromCharCode(...bytes.subarray(at, at + SLICE));
  return text;
};
/** As many arguments as a call can have anywhere. */
const SLICE = 4096;
