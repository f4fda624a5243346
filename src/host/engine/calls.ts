// The functions of the host in C (engine/host_*.c), with their types. A failed system call returns its negative error
// number.

import { errorName, type HostError, hostError } from "../errors.ts";
import type { Fields } from "../fields.ts";

/** A number; if negative, an error number. */
type Result = number;
type Or<T> = T | number;

export type HostCalls = {
  open(directory: number, path: string, flags: number, mode: number): Result;
  close(fd: number): Result;
  read(fd: number, bytes: Uint8Array, start: number, length: number, position: number): Result;
  beginning(path: string): Or<string>;
  write(fd: number, bytes: Uint8Array, start: number, length: number, position: number): Result;
  status(directory: number, path: string, follows: boolean): Or<StatusValues>;
  statusOf(fd: number): Or<StatusValues>;
  access(directory: number, path: string, mode: number): Result;
  changeMode(fd: number, mode: number): Result;
  /** Returns a descriptor from which the error number (four bytes) can be read when it is done. */
  startReplacing(directory: number, name: string, temporary: string, bytes: Uint8Array, mode: number): Result;
  /** The same, followed by the file's bytes. More than `limit` is the error EFBIG. */
  startReading(path: string, limit: number): Result;

  list(directory: number, path: string): Or<readonly string[]>;
  makeDirectory(directory: number, path: string, mode: number): Result;
  remove(directory: number, path: string): Result;
  rename(directory: number, path: string, newDirectory: number, newPath: string): Result;
  readLink(directory: number, path: string): Or<string>;
  realPath(path: string): Or<string>;
  workingDirectory(): Or<string>;

  connectUnix(path: string): Result;
  connectTcp(address: string, port: number): Result;
  socketError(fd: number): Result;
  send(fd: number, bytes: Uint8Array, start: number, length: number): Result;
  receive(fd: number, bytes: Uint8Array, start: number, length: number): Result;
  endSending(fd: number): Result;

  processArguments(): readonly string[];
  environment(): readonly string[];
  identity(): readonly [pid: number, parent: number, uid: number, gid: number];
  exit(status: number): never;
  kill(pid: number, signal: number): Result;
  setPriority(pid: number, nice: number): Result;
  start(argv: readonly string[]): Or<readonly [pid: number, output: number]>;
  wait(pid: number, waits: boolean): Result;

  watchSignal(number: number): Result;
  leaveSignal(number: number): Result;
  nextSignal(): number;

  isTerminal(fd: number): boolean;
  terminalSize(fd: number): Or<readonly [columns: number, rows: number]>;
  setRaw(fd: number, isRaw: boolean): Result;
  undoScreen(text: string): Result;

  monotonicNow(): number;
  wallNow(): number;
  poll(pairs: Uint8Array, count: number, ms: number): Result;
  random(bytes: Uint8Array): Result;

  decode(bytes: Uint8Array, start: number, length: number, isStrict: boolean): string | undefined;
  encode(text: string): Uint8Array;

  pack: Fields["pack"];
  unpack: Fields["unpack"];

  engineVersion(): string;
  setHooks(start: () => void, turn: () => number, uncaught: (error: unknown) => void): void;
};

/** device, inode, mode, links, uid, gid, special device, size, modified ms, changed ms, "DEVICE:INODE" */
export type StatusValues = readonly [
  ...[number, number, number, number, number, number, number, number, number, number],
  string,
];

/** A global object of the engine (engine/image/fresh.c), used only here. */
export const calls: HostCalls = (globalThis as unknown as { readonly hostCalls: HostCalls }).hostCalls;

export const EAGAIN = -11;
export const EINTR = -4;

/** The error of a failed call. */
export const failure = (result: number, call: string, subject?: string): HostError =>
  hostError(errorName(-result), call, subject);

/** The result of a call. Throws HostError if it is an error. */
export const checked = <T>(result: T | number, call: string, subject?: string): T => {
  if (typeof result === "number" && result < 0) throw failure(result, call, subject);
  // A number that is not negative is the call's result.
  return result as T;
};
