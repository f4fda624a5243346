// Stream connections on the loop and the engine's host calls.
import { errorName } from "../errors.ts";
import type { Stream, StreamHandlers, Streams } from "../streams.ts";
import { calls, checked, EAGAIN, EINTR, failure } from "./calls.ts";
import { addWatch, READABLE, removeWatch, soon, type Watch, WRITABLE } from "./loop.ts";

/** The buffer for reads. All streams share it, because its bytes belong to a handler only during the call. */
const room = new Uint8Array(64 * 1024);

/** The peer is gone in an ordinary way: not reported as a reason. */
const GONE: ReadonlySet<string> = new Set(["EPIPE", "ECONNRESET"]);

export const engineStreams: Streams = {
  open: async (fd, handlers) => new EngineStream(fd, handlers),
  connectUnix: async (path, handlers) => new EngineStream(checked(calls.connectUnix(path), "connect", path), handlers),
  connectTcp: (address, port, handlers) => connectTcp(address, port, handlers),
};

/** Connects without blocking. Rejects if the connection is refused. */
const connectTcp = (address: string, port: number, handlers: StreamHandlers): Promise<Stream> => {
  const subject = `${address} port ${port}`;
  const fd = checked(calls.connectTcp(address, port), "connect", subject);
  return new Promise((resolve, reject) => {
    const watch: Watch = {
      fd,
      events: WRITABLE,
      holds: true,
      ready: () => {
        removeWatch(watch);
        const error = calls.socketError(fd);
        if (error === 0) return resolve(new EngineStream(fd, handlers));
        calls.close(fd);
        reject(failure(error, "connect", subject));
      },
    };
    addWatch(watch);
  });
};

class EngineStream implements Stream {
  readonly #handlers: StreamHandlers;
  readonly #watch: Watch;
  #state: "open" | "ending" | "gone" = "open";
  #queue: Uint8Array[] = [];
  #unsent = 0;
  #waiting: (() => void)[] = [];

  constructor(fd: number, handlers: StreamHandlers) {
    this.#handlers = handlers;
    this.#watch = { fd, events: READABLE, holds: true, ready: (events) => this.#ready(events) };
    addWatch(this.#watch);
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
    if (this.#unsent === 0) calls.endSending(this.#watch.fd);
  }

  destroy(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#queue = [];
    this.#unsent = 0;
    removeWatch(this.#watch);
    calls.close(this.#watch.fd);
    this.#release();
  }

  #ready(events: number): void {
    if ((events & WRITABLE) !== 0) this.#send();
    // Errors and the peer's end are detected by reading.
    if (this.#state !== "gone" && (events & ~WRITABLE) !== 0) this.#receive();
  }

  #receive(): void {
    const count = calls.receive(this.#watch.fd, room, 0, room.length);
    if (count > 0) this.#call(() => this.#handlers.data(room.subarray(0, count)));
    else if (count === 0) this.#leave(null);
    else if (count !== EAGAIN && count !== EINTR) this.#leave(errorName(-count));
  }

  /** Gives the kernel as much as it accepts. */
  #send(): void {
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const count = calls.send(this.#watch.fd, first, 0, first.length);
      if (count === EINTR) continue;
      if (count === EAGAIN) {
        this.#watch.events = READABLE | WRITABLE;
        return;
      }
      // Reported in a turn of its own, not in the middle of the caller's write.
      if (count < 0) return soon(() => this.#leave(errorName(-count)));
      this.#unsent -= count;
      if (count < first.length) this.#queue[0] = first.subarray(count);
      else this.#queue.shift();
    }
    this.#watch.events = READABLE;
    this.#release();
    if (this.#state === "ending") calls.endSending(this.#watch.fd);
  }

  #leave(code: string | null): void {
    if (this.#state === "gone") return;
    this.destroy();
    this.#call(() => this.#handlers.close(code === null || GONE.has(code) ? null : code));
  }

  /**
   * If a handler throws, the stream is destroyed so that nothing half-done is sent. The exception is handled as an
   * uncaught one.
   */
  #call(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
