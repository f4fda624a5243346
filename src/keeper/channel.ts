// Stream connections for the supervisor (to its keeper) and for control clients. The one file that uses Bun's socket
// API, because node:net costs Bun 6 to 10 ms at the start; under Node the same few functions stand on node:net.
import type { Socket as NodeSocket } from "node:net";

export type ChannelHandlers = {
  /** Bytes came; they are the handler's own only during the call. */
  data(bytes: Uint8Array): void;
  /** The channel is gone, told once. Null unless the system gave a reason. */
  close(reason: ChannelError | null): void;
};

export type Channel = {
  /** Sends bytes, in order. What the kernel does not take is kept until it does; the caller leaves `bytes` as they are. */
  write(bytes: Uint8Array): void;
  /** How many bytes the kernel has not taken yet. */
  readonly unsent: number;
  /** Resolves when the kernel has taken everything that was written, or the channel is gone. `process.exit` drops what is unsent. */
  flushed(): Promise<void>;
  /** Closes when everything that was written is sent. */
  end(): void;
  /** Closes at once; what is unsent is dropped. */
  destroy(): void;
};

/** A connection that could not be made, or broke. `code` is the system's (ENOENT, ECONNREFUSED, EACCES, ENOTFOUND …). */
export class ChannelError extends Error {
  override readonly name = "ChannelError";
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The supervisor's end of the pair that its keeper gave it. `fd` belongs to the channel afterwards. Throws ChannelError. */
export const openChannel = (fd: number, handlers: ChannelHandlers): Promise<Channel> =>
  isBun
    ? connectInBun({ fd }, `use descriptor ${fd}`, handlers)
    : connectInNode((net) => new net.Socket({ fd }), `use descriptor ${fd}`, handlers);

/** Connects to the unix socket at `path`. Throws ChannelError: ENOENT nothing there, ECONNREFUSED nobody listens, ENAMETOOLONG. */
export const connectUnix = async (path: string, handlers: ChannelHandlers): Promise<Channel> => {
  if (Buffer.byteLength(path) > UNIX_PATH_BYTES)
    throw new ChannelError(
      "ENAMETOOLONG",
      `the path ${path} is longer than the ${UNIX_PATH_BYTES} bytes of a unix socket's`,
    );
  return isBun
    ? connectInBun({ unix: path }, `connect to ${path}`, handlers)
    : connectInNode((net) => net.connect({ path }), `connect to ${path}`, handlers);
};

/** Connects over TCP. Throws ChannelError: ECONNREFUSED, ENOTFOUND, ETIMEDOUT … */
export const connectTcp = (host: string, port: number, handlers: ChannelHandlers): Promise<Channel> =>
  isBun
    ? connectInBun({ hostname: host, port }, `connect to ${host} port ${port}`, handlers)
    : connectInNode((net) => net.connect({ host, port }), `connect to ${host} port ${port}`, handlers);

/** Who owns the file of a unix socket, by uid; null: that cannot be seen. */
export const socketOwner = async (path: string): Promise<number | null> => {
  try {
    if (isBun) return (await Bun.file(path).stat()).uid;
    return (await (await import("node:fs/promises")).stat(path)).uid;
  } catch {
    return null;
  }
};

/** unix(7): sun_path has 108 bytes, the last for a NUL. */
const UNIX_PATH_BYTES = 107;
const isBun = process.versions.bun !== undefined;

const channelError = (error: unknown, what: string): ChannelError => {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EIO";
  return new ChannelError(code, `cannot ${what}: ${REASONS[code] ?? code}`, { cause: error });
};

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is nothing there (ENOENT)",
  ECONNREFUSED: "nobody listens there (ECONNREFUSED)",
  EACCES: "permission denied (EACCES)",
  ENOTFOUND: "the host is not known (ENOTFOUND)",
  EPIPE: "the other side has closed it (EPIPE)",
  ECONNRESET: "the other side has broken it off (ECONNRESET)",
};

/**
 * Calls a handler. Its exception must end the process, as any uncaught one does: Bun would hand it to the socket's
 * `error` and go on. The channel is dead from there on, so that nothing half done is sent.
 */
const guarded = (channel: Channel, handler: () => void): void => {
  try {
    handler();
  } catch (error) {
    channel.destroy();
    queueMicrotask(() => {
      throw error;
    });
  }
};

type BunTarget =
  | { readonly fd: number }
  | { readonly unix: string }
  | { readonly hostname: string; readonly port: number };

const connectInBun = async (target: BunTarget, what: string, handlers: ChannelHandlers): Promise<Channel> => {
  const channel = new BunChannel(what, handlers);
  const socket = {
    open: (opened: Bun.Socket): void => channel.opened(opened),
    data: (_: Bun.Socket, bytes: Uint8Array): void => channel.received(bytes),
    drain: (): void => channel.drained(),
    close: (_: Bun.Socket, error?: Error): void => channel.closed(error),
    error: (_: Bun.Socket, error: Error): void => channel.closed(error),
    // Without this Bun prints the failure as well as rejecting.
    connectError: (): void => {},
  };
  try {
    // Bun takes `fd` (its documentation of Bun.connect), but its types have only the other two.
    await Bun.connect({ ...target, socket } as Bun.UnixSocketOptions<undefined>);
  } catch (error) {
    throw channelError(error, what);
  }
  return channel;
};

class BunChannel implements Channel {
  readonly #what: string;
  readonly #handlers: ChannelHandlers;
  #socket: Bun.Socket | null = null;
  #state: "open" | "ending" | "ended" | "gone" = "open";
  #queue: Uint8Array[] = [];
  #unsent = 0;
  #waiting: (() => void)[] = [];

  constructor(what: string, handlers: ChannelHandlers) {
    this.#what = what;
    this.#handlers = handlers;
  }

  opened(socket: Bun.Socket): void {
    this.#socket = socket;
  }

  received(bytes: Uint8Array): void {
    if (this.#state === "gone") return;
    guarded(this, () => this.#handlers.data(bytes));
  }

  drained(): void {
    this.#send();
  }

  closed(error: Error | undefined): void {
    if (this.#state === "gone") return;
    this.#leave();
    const reason = error === undefined ? null : channelError(error, this.#what);
    guarded(this, () => this.#handlers.close(reason));
  }

  get unsent(): number {
    return this.#unsent;
  }

  write(bytes: Uint8Array): void {
    if (this.#state !== "open" || bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#unsent += bytes.length;
    if (this.#queue.length === 1) this.#send();
  }

  flushed(): Promise<void> {
    if (this.#unsent === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end(): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#endIfSent();
  }

  destroy(): void {
    if (this.#state === "gone") return;
    this.#leave();
    this.#socket?.terminate();
  }

  /** Gives the kernel what it takes. A socket that is gone answers less than 1, and `close` follows. */
  #send(): void {
    while (this.#socket !== null && this.#state !== "gone") {
      const [first] = this.#queue;
      if (first === undefined) break;
      const taken = this.#socket.write(first);
      if (taken <= 0) return;
      this.#unsent -= taken;
      if (taken < first.length) {
        this.#queue[0] = first.subarray(taken);
        return;
      }
      this.#queue.shift();
    }
    this.#release();
    this.#endIfSent();
  }

  #endIfSent(): void {
    if (this.#state !== "ending" || this.#unsent > 0) return;
    this.#state = "ended";
    this.#socket?.end();
  }

  #leave(): void {
    this.#state = "gone";
    this.#queue = [];
    this.#unsent = 0;
    this.#release();
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

type Net = typeof import("node:net");

const connectInNode = async (
  open: (net: Net) => NodeSocket,
  what: string,
  handlers: ChannelHandlers,
): Promise<Channel> => {
  const net = await import("node:net");
  const socket = await connected(() => open(net), what);
  return new NodeChannel(socket, what, handlers);
};

const connected = (open: () => NodeSocket, what: string): Promise<NodeSocket> =>
  new Promise((resolve, reject) => {
    try {
      const socket = open();
      const failed = (error: Error): void => reject(channelError(error, what));
      socket.once("error", failed);
      const done = (): void => {
        socket.off("error", failed);
        resolve(socket);
      };
      if (socket.connecting) socket.once("connect", done);
      else done();
    } catch (error) {
      reject(channelError(error, what));
    }
  });

class NodeChannel implements Channel {
  readonly #socket: NodeSocket;
  #unsent = 0;
  #gone = false;
  #waiting: (() => void)[] = [];

  constructor(socket: NodeSocket, what: string, handlers: ChannelHandlers) {
    this.#socket = socket;
    let reason: ChannelError | null = null;
    socket.on("error", (error) => {
      reason = channelError(error, what);
    });
    socket.on("close", () => {
      const told = this.#gone;
      this.#leave();
      if (!told) guarded(this, () => handlers.close(reason));
    });
    socket.on("data", (bytes: Buffer) => {
      if (!this.#gone) guarded(this, () => handlers.data(bytes));
    });
  }

  get unsent(): number {
    return this.#unsent;
  }

  write(bytes: Uint8Array): void {
    if (this.#gone || this.#socket.writableEnded || bytes.length === 0) return;
    this.#unsent += bytes.length;
    this.#socket.write(bytes, () => {
      if (this.#gone) return;
      this.#unsent -= bytes.length;
      if (this.#unsent === 0) this.#release();
    });
  }

  flushed(): Promise<void> {
    if (this.#unsent === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#leave();
    this.#socket.destroy();
  }

  #leave(): void {
    this.#gone = true;
    this.#unsent = 0;
    this.#release();
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
