// Hands an established connection over to the next worker, and takes over those of earlier workers.
import { type NetConnectOpts, Socket } from "node:net";
import process from "node:process";
import { answerTo, forgetAnswer } from "./answers.ts";
import { ownDescriptors } from "./environment.ts";
import { notify } from "./notify.ts";

export type HandOverOptions = {
  /** The name that the next worker gets with it: at most 255 characters of ASCII, without a colon. Default: `stored`. */
  readonly name?: string;
  /** How long it may take until written data has been sent, ms. Default 5,000. */
  readonly graceMs?: number;
};

/** A connection that an earlier worker handed over. */
export type HandedOver = { readonly name: string; readonly socket: Socket };

const GRACE_MS = 5_000;
const NAME = /^[ -9;-~]{0,255}$/;
/** How many wait for crank's answer at one time: a worker's notify socket holds ten. */
const AT_ONCE = 8;
const LOOK_MS = 2;

/**
 * Passes a connection to the next worker: sends written data, names its descriptor to crank, and closes it here when crank has
 * it. The client notices only a pause. True: it is not this worker's any more. False: there is
 * no crank, no worker will take it, it has ended, or written data could not be sent in time: the connection is unchanged.
 *
 * Nothing is read after the call; data that was read before must be consumed. Throws if it is behind TLS,
 * whose state cannot be handed over, and for names that no descriptor can have.
 */
export const handOver = async (socket: Socket, options: HandOverOptions = {}): Promise<boolean> => {
  const { name = "stored", graceMs = GRACE_MS } = options;
  if (!NAME.test(name)) throw new Error(`${JSON.stringify(name)} cannot be the name of a descriptor`);
  if ("encrypted" in socket) throw new Error("a connection behind TLS cannot be handed over: its keys stay here");
  const { notifyFd, storeLimit } = ownDescriptors();
  // Deno exposes no connection's descriptor, and reads no answer.
  const isPossible = notifyFd !== null && storeLimit > 0 && process.versions.deno === undefined;
  if (!isPossible) return false;
  const reading = holdReading(socket);
  const isLeft = (await isQuiet(socket, graceMs)) && (await inTurn(() => isTaken(socket, notifyFd, name)));
  if (!isLeft) reading.goOn();
  else socket.destroy();
  return isLeft;
};

let taken = false;

/**
 * The connections from earlier workers that this one was started with. They belong to this worker once it is ready: call
 * `ready()` before you read from them or write to them. Only the first call returns them.
 */
export const takeOver = (): readonly HandedOver[] => {
  const { left } = ownDescriptors();
  if (taken) return [];
  taken = true;
  return left.map(({ fd, name }) => ({ name, socket: socketOn(fd) }));
};

/** An existing connection. Bun hears nothing on a socket that is made with a descriptor, but on one that "connects" to it. */
const socketOn = (fd: number): Socket => {
  if (process.versions.bun === undefined) return new Socket({ fd, readable: true, writable: true });
  const socket = new Socket();
  // Not in the types: Bun's own.
  socket.connect({ fd } as unknown as NetConnectOpts);
  return socket;
};

/** The parts of a socket that every Node has (readStop), or Bun (pause, resume), which have no types. */
type Handle = { readonly fd?: number; reading?: boolean; readStop?(): number; pause?(): void; resume?(): void };

const handleOf = (socket: Socket): Handle | null =>
  // Each part may be missing.
  "_handle" in socket ? (socket._handle as Handle | null) : null;

const nothing = (): void => {};

/** Replaces one of an object's functions. Returns a function that restores it. */
const replace = (object: object, name: string): (() => void) => {
  Object.defineProperty(object, name, { value: nothing, configurable: true, writable: true });
  return () => {
    Reflect.deleteProperty(object, name);
  };
};

/**
 * Stops reading: later data is for the next worker. A stream that flows asks for more by itself, on
 * Node through its `_read`, on Bun through the handle's `resume`.
 */
const holdReading = (socket: Socket): { goOn(): void } => {
  const handle = handleOf(socket);
  const takeBack = [replace(socket, "_read"), ...(handle?.pause ? [replace(handle, "resume")] : [])];
  if (handle?.readStop) handle.readStop();
  else handle?.pause?.();
  if (handle?.reading !== undefined) handle.reading = false;
  return {
    goOn: () => {
      for (const back of takeBack) back();
      if (socket.destroyed) return;
      if (handle?.readStop) socket._read(0);
      else handle?.resume?.();
    },
  };
};

/** Resolves when all read data has been consumed and all written data is in the kernel. False: not in time, or it has ended. */
const isQuiet = async (socket: Socket, graceMs: number): Promise<boolean> => {
  const end = performance.now() + graceMs;
  for (;;) {
    if (socket.destroyed || socket.writableEnded || socket.readableEnded || socket.connecting) return false;
    if (socket.readableLength === 0 && socket.writableLength === 0) return true;
    if (performance.now() >= end) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
};

let free = AT_ONCE;
const queue: (() => void)[] = [];

const inTurn = async <T>(act: () => Promise<T>): Promise<T> => {
  if (free > 0) free -= 1;
  else await new Promise<void>((resolve) => queue.push(resolve));
  try {
    return await act();
  } finally {
    const next = queue.shift();
    if (next) next();
    else free += 1;
  }
};

/** Whether crank has taken the socket's descriptor. */
const isTaken = async (socket: Socket, notifyFd: number, name: string): Promise<boolean> => {
  const fd = socket.destroyed ? undefined : handleOf(socket)?.fd;
  if (fd === undefined || fd < 0) return false;
  const answer = answerTo(notifyFd, fd);
  if (!notify(`FDSTORE=1\nFDNAME=${name}\nFDNUMBER=${fd}`)) forgetAnswer(fd);
  return (await answer).refused === null;
};
