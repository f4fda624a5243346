// Stream connections on node:net, which is loaded on demand.
import type { NetConnectOpts, Socket } from "node:net";
import type { Stream, StreamHandlers, Streams } from "../streams.ts";
import { asHostError, codeOf } from "./errors.ts";

type Net = typeof import("node:net");

/** An inherited descriptor, already connected. */
const inherited = async (fd: number, handlers: StreamHandlers): Promise<Stream> => {
  const net = await import("node:net");
  // Bun 1.4.4 ignores the constructor's `fd`, but accepts it here.
  if (process.versions.bun !== undefined)
    return new NodeStream(new net.Socket().connect({ fd } as unknown as NetConnectOpts), handlers);
  return new NodeStream(new net.Socket({ fd }), handlers);
};

const connected = async (open: (net: Net) => Socket, subject: string, handlers: StreamHandlers): Promise<Stream> => {
  const net = await import("node:net");
  return new Promise((resolve, reject) => {
    const socket = open(net);
    const failed = (error: Error): void => reject(asHostError(error, "connect", subject));
    const done = (): void => {
      socket.off("error", failed);
      resolve(new NodeStream(socket, handlers));
    };
    socket.once("error", failed);
    socket.once("connect", done);
  });
};

export const nodeStreams: Streams = {
  open: inherited,
  connectUnix: (path, handlers) => connected((net) => net.connect({ path }), path, handlers),
  connectTcp: (address, port, handlers) =>
    connected((net) => net.connect({ host: address, port }), `${address} port ${port}`, handlers),
};

/** The peer is gone in an ordinary way: not reported as a reason. */
const GONE: ReadonlySet<string> = new Set(["EPIPE", "ECONNRESET"]);

class NodeStream implements Stream {
  readonly #socket: Socket;
  #unsent = 0;
  #isGone = false;
  #waiting: (() => void)[] = [];

  constructor(socket: Socket, handlers: StreamHandlers) {
    this.#socket = socket;
    let reason: string | null = null;
    socket.on("error", (error) => {
      const code = codeOf(error);
      reason = GONE.has(code) ? null : code;
    });
    socket.on("close", () => {
      const wasGone = this.#isGone;
      this.#leave();
      if (!wasGone) handlers.close(reason);
    });
    socket.on("data", (bytes: Uint8Array) => {
      if (!this.#isGone) handlers.data(bytes);
    });
  }

  get unsent(): number {
    return this.#unsent;
  }

  write(bytes: Uint8Array): void {
    if (this.#isGone || this.#socket.writableEnded || bytes.length === 0) return;
    this.#unsent += bytes.length;
    this.#socket.write(bytes, () => {
      if (this.#isGone) return;
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
    this.#isGone = true;
    this.#unsent = 0;
    this.#release();
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
