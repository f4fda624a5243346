// The globals of Node that crank's commands still use, besides those of the engine's host.
import { host } from "#host";
import { Buffer } from "./buffer.ts";
import { process } from "./process.ts";

const MOST_RANDOM = 256;

const getRandomValues = <T extends ArrayBufferView>(array: T): T => {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  for (let at = 0; at < bytes.length; at += MOST_RANDOM) host.clock.random(bytes.subarray(at, at + MOST_RANDOM));
  return array;
};

/** RFC 9562, version 4. */
const randomUUID = (): string => {
  const bytes = getRandomValues(new Buffer(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
};

/** Whether a text is an IPv6 address: all that is asked of URL. */
const isIpv6 = (text: string): boolean => {
  const halves = text.split("::");
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const all = groups.flat();
  const last = all.at(-1) ?? "";
  const isMixed = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(last);
  const hex = isMixed ? all.slice(0, -1) : all;
  const count = hex.length + (isMixed ? 2 : 0);
  const isWhole = halves.length === 1 ? count === 8 : halves.length === 2 && count <= 7;
  return isWhole && hex.every((group) => /^[0-9a-f]{1,4}$/i.test(group));
};

const print = (fd: number, values: readonly unknown[]): void => {
  const text = values.map((value) => (value instanceof Error ? `${value}\n${value.stack}` : String(value))).join(" ");
  (fd === 1 ? process.stdout : process.stderr).write(`${text}\n`);
};

Object.assign(globalThis, {
  Buffer,
  process,
  crypto: { getRandomValues, randomUUID },
  performance: { now: () => host.clock.monotonicNow() },
  URL: { canParse: (text: string) => isIpv6(/^http:\/\/\[(.*)\]\/$/.exec(text)?.[1] ?? "-") },
  console: {
    log: (...values: readonly unknown[]) => print(1, values),
    error: (...values: readonly unknown[]) => print(2, values),
  },
});
