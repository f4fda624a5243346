// Shared by the host's behaviours: files as text, a client, and error codes.

import { host } from "#host";
import { HostError } from "../../src/host/errors.ts";
import { OPEN } from "../../src/host/files.ts";
import type { Stream } from "../../src/host/streams.ts";

const { clock, files, streams } = host;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The code of the error that `act` throws. */
export const refusal = (act: () => unknown): string => {
  try {
    return `none: ${JSON.stringify(act())}`;
  } catch (error) {
    return error instanceof HostError ? error.code : `another: ${String(error)}`;
  }
};

export const refusalOf = async (act: Promise<unknown>): Promise<string> => {
  try {
    return `none: ${JSON.stringify(await act)}`;
  } catch (error) {
    return error instanceof HostError ? error.code : `another: ${String(error)}`;
  }
};

export const textOf = (path: string): string => {
  const fd = files.open(path, { flags: OPEN.readOnly });
  const bytes = new Uint8Array(100);
  const count = files.read(fd, bytes);
  files.close(fd);
  return decoder.decode(bytes.subarray(0, count));
};

export const writeText = (path: string, text: string): void => {
  const fd = files.open(path, { flags: OPEN.writeOnly | OPEN.create | OPEN.truncate, mode: 0o644 });
  files.write(fd, encoder.encode(text));
  files.close(fd);
};

/** Connects, sends, and collects the answer until the connection is closed. */
export const talk = async (
  connect: (handlers: Parameters<typeof streams.connectUnix>[1]) => Promise<Stream>,
  bytes: Uint8Array,
) => {
  let received = 0;
  let sum = 0;
  let close: (code: string | null) => void = () => {};
  const closed = new Promise<string | null>((resolve) => {
    close = resolve;
  });
  const data = (part: Uint8Array): void => {
    received += part.length;
    for (const byte of part) sum = (sum * 31 + byte) >>> 0;
  };
  const stream = await connect({ data, close });
  stream.write(bytes);
  await stream.flushed();
  const { unsent } = stream;
  stream.end();
  return { code: await closed, received, sum, unsent };
};

export const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * 7) & 0xff);

export const wait = (ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve));
