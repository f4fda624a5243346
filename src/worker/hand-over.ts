// Leaving an established connection to the next worker, and taking what an earlier one has left: the client notices nothing.
import { type NetConnectOpts, Socket } from "node:net";
import process from "node:process";
import { answerTo, forgetAnswer } from "./answers.ts";
import { ownDescriptors } from "./environment.ts";
import { notify } from "./notify.ts";

export type HandOverOptions = {
  /** The name that the next worker gets with it: at most 255 characters of ASCII, without a colon. Default: `stored`. */
  readonly name?: string;
  /** How long it may take until what was written before is on its way, ms. Default 5,000. */
  readonly graceMs?: number;
};

/** A connection that an earlier worker has left. */
export type HandedOver = { readonly name: string; readonly socket: Socket };

const GRACE_MS = 5_000;
const NAME = /^[ -9;-~]{0,255}$/;
/** How many wait for crank's answer at one time: a worker's notify socket holds ten. */
const AT_ONCE = 8;
const LOOK_MS = 2;

/**
 * Leaves a connection to the worker that comes next: sends what was written to it, names its descriptor to crank, and closes
 * it here when crank has it, so that the client sees nothing of it. True: it is not this worker's any more. False: there is
 * no crank, no worker will take it, it has ended, or written data could not be sent in time: the connection is unchanged.
 *
 * Nothing is read any more from the call on; what was read before has to be taken from it. Throws if it is behind TLS,
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
 * The connections that earlier workers have left and that this one was started with. They are this worker's for good when it
 * is ready: say `ready()` before anything is read from them or written to them. Only the first call has them.
 */
export const takeOver = (): readonly HandedOver[] => {
  const { left } = ownDescriptors();
  if (taken) return [];
  taken = true;
  return left.map(({ fd, name }) => ({ name, socket: socketOn(fd) }));
};

/** A connection that is there already. Bun hears nothing on a socket that is made with a descriptor, but on one that "connects" to it. */
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
  // Looked at with care: each part may be missing.
  "_handle" in socket ? (socket._handle as Handle | null) : null;

const nothing = (): void => {};

/** Stands in for one of an object's functions. Returns what takes it back. */
const replace = (object: object, name: string): (() => void) => {
  Object.defineProperty(object, name, { value: nothing, configurable: true, writable: true });
  return () => {
    Reflect.deleteProperty(object, name);
  };
};

/**
 * Lets nothing more be read: what comes from now on is the next worker's. A stream that flows asks for more by itself, on
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

/** Resolves when all that was read has been taken, and all that was written is the kernel's. False: not in time, or it has ended. */
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
