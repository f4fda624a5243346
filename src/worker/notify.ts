// Notifications to crank: datagrams of sd_notify(3) on the descriptor NOTIFY_FD.
import { spawnSync } from "node:child_process";
import { writeSync } from "node:fs";
import process from "node:process";
import { ownDescriptors, workerEnvironment } from "./environment.ts";

/** Longer texts are cut: they are for one line of a table. */
const MAX_STATUS_CHARACTERS = 500;

/** The peer is gone or its queue is full: a worker keeps serving without a supervisor. */
const NOBODY_LISTENS = new Set(["ECONNREFUSED", "ECONNRESET", "ENOTCONN", "EPIPE", "EAGAIN", "ENOBUFS"]);

/**
 * Reports that this worker serves; crank now stops the workers that it replaces. Returns whether crank could be notified: false
 * without crank. Throws if crank is there and cannot be notified, because crank would wait in vain.
 */
export const ready = (): boolean => notify("READY=1");

/** Sends one line about what the worker is doing, for `crankctl ps` and `status`. Line breaks become spaces. */
export const status = (text: string): boolean =>
  notify(`STATUS=${text.replace(/\s+/g, " ").trim().slice(0, MAX_STATUS_CHARACTERS)}`);

/** Sends assignments as one datagram (sd_notify(3)). Throws like `ready`, also where crank's descriptors are another process's. */
export const notify = (assignments: string): boolean => {
  const { notifyFd, notifySocket } = workerEnvironment();
  if (notifyFd === null && notifySocket === null) return false;
  ownDescriptors();
  if (notifyFd === null)
    throw new Error("there is a NOTIFY_SOCKET but no NOTIFY_FD, and no runtime here writes to the former");
  try {
    if (process.versions.deno === undefined) writeSync(notifyFd, assignments);
    else writeUnderDeno(notifyFd, assignments);
    return true;
  } catch (error) {
    // Only the code is looked at, and only if it is one.
    if (error instanceof Error && "code" in error && NOBODY_LISTENS.has(String(error.code))) return false;
    throw new Error(`the notify socket, descriptor ${notifyFd}, cannot be written to`, { cause: error });
  }
};

/** The part of Deno's own API that is used here. */
type DenoLibrary = {
  readonly symbols: { write(fd: number, bytes: Uint8Array, length: bigint): bigint };
  close(): void;
};
type DenoApi = { dlopen(file: string, symbols: object): DenoLibrary };

/**
 * Deno's file functions know only descriptors that it has opened itself, and it opens no socket through /proc. So
 * it calls the C library (--allow-ffi), or a shell that inherits the descriptor (--allow-run).
 */
const writeUnderDeno = (fd: number, text: string): void => {
  if (writeByLibrary(fd, text)) return;
  const { status: ended } = spawnSync("/bin/sh", ["-c", `printf %s "$1" >&${fd}`, "notify", text], {
    stdio: [fd === 0 ? "inherit" : "ignore", "ignore", "ignore"],
  });
  if (ended !== 0) throw new Error("neither the C library nor /bin/sh may write to it: run deno with --allow-ffi");
};

const writeByLibrary = (fd: number, text: string): boolean => {
  // Deno's global, of which only this function is used; there are no types of it where Node's are.
  const { Deno: deno } = globalThis as unknown as { readonly Deno: DenoApi };
  const bytes = new TextEncoder().encode(text);
  try {
    const library = deno.dlopen("libc.so.6", { write: { parameters: ["i32", "buffer", "usize"], result: "isize" } });
    const written = library.symbols.write(fd, bytes, BigInt(bytes.length));
    library.close();
    return Number(written) === bytes.length;
  } catch {
    return false;
  }
};
