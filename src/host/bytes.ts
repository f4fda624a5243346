// Functions for bytes and texts.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** UTF-8. */
export const bytesOf = (text: string): Uint8Array => encoder.encode(text);

/** Decodes UTF-8; invalid bytes become U+FFFD. */
export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes);

/** The length of a text in UTF-8. */
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

/** Decodes ISO 8859-1: each byte is the character with its number. */
export const latin1Of = (bytes: Uint8Array): string => {
  let text = "";
  for (let at = 0; at < bytes.length; at += SLICE) text += String.fromCharCode(...bytes.subarray(at, at + SLICE));
  return text;
};
/** A number of arguments that a call can have on any runtime. */
const SLICE = 4096;
