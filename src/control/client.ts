// A client of the control protocol: one connection, typed calls, notifications as they come. What is asked again
// after a lost connection, and how, is in deploy-call.ts.
import { type Channel, ChannelError, connectTcp, connectUnix } from "../keeper/channel.ts";
import { encodeRequest, parseServerLine } from "./jsonrpc.ts";
import type { Method, Methods, Notifications, RpcError } from "./messages.ts";

/** Where a crank listens for control. Over tcp the token is shown first. */
export type ControlAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly token: string };

/** A notification as a value: `{ method: "event", params: … }`. */
export type Notification = {
  [N in keyof Notifications]: { readonly method: N; readonly params: Notifications[N] };
}[keyof Notifications];

/** No connection could be made. `message` says to what, and why. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The connection ended before the answer came. */
export class ConnectionLostError extends Error {
  override readonly name = "ConnectionLostError";
  readonly code = "lost";
}

/** crank answered with an error: `message` is its sentence, `rpc` the whole of it. */
export class CallError extends Error {
  override readonly name = "CallError";
  readonly code: number;
  readonly rpc: RpcError;
  constructor(rpc: RpcError) {
    super(rpc.message);
    this.code = rpc.code;
    this.rpc = rpc;
  }
}

type Waiting = { readonly resolve: (result: unknown) => void; readonly reject: (error: Error) => void };

/** An open connection to a crank. */
export type Client = {
  /** Asks, and waits for the answer however long it takes. Throws CallError or ConnectionLostError. */
  call<M extends Method>(method: M, params: Methods[M]["params"]): Promise<Methods[M]["result"]>;
  /** Resolves when the connection has ended, whoever ended it. */
  readonly ended: Promise<void>;
  /** Ends the connection; calls that wait are rejected. */
  close(): void;
};

/**
 * Connects, over tcp shows the token, and hands every notification to `onNotification` in the order in which it
 * came: those behind an answer come after that answer. Throws ConnectError, or CallError when the token is refused.
 */
export const connect = async (
  address: ControlAddress,
  onNotification: (notification: Notification) => void,
): Promise<Client> => {
  const connection = new Connection(onNotification);
  try {
    connection.use(await open(address, connection));
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    throw new ConnectError(error.code, error.message, { cause: error });
  }
  if (address.kind === "tcp") await connection.call("authenticate", { token: address.token });
  return connection;
};

/** More than any answer of ours: a fleet of 1000 with the longest of command lines is the largest. */
const MAX_LINE_BYTES = 256 * 1024 * 1024;
const NEWLINE = 0x0a;

const open = (address: ControlAddress, connection: Connection): Promise<Channel> => {
  const handlers = {
    data: (bytes: Uint8Array) => connection.take(bytes),
    close: (reason: ChannelError | null) => connection.lose(reason),
  };
  return address.kind === "unix"
    ? connectUnix(address.path, handlers)
    : connectTcp(address.host, address.port, handlers);
};

class Connection implements Client {
  readonly ended: Promise<void>;
  readonly #onNotification: (notification: Notification) => void;
  #channel: Channel | null = null;
  #nextId = 1;
  #waiting = new Map<number, Waiting>();
  #partial: Uint8Array[] = [];
  #partialBytes = 0;
  #lost: ConnectionLostError | null = null;
  #tellEnd: () => void = () => {};

  constructor(onNotification: (notification: Notification) => void) {
    this.#onNotification = onNotification;
    this.ended = new Promise((resolve) => {
      this.#tellEnd = resolve;
    });
  }

  use(channel: Channel): void {
    this.#channel = channel;
  }

  call<M extends Method>(method: M, params: Methods[M]["params"]): Promise<Methods[M]["result"]> {
    if (this.#lost !== null) return Promise.reject(this.#lost);
    const id = this.#nextId++;
    this.#channel?.write(new TextEncoder().encode(encodeRequest(id, method, params)));
    return new Promise((resolve, reject) => {
      // The answer to a request has the result of its method: the protocol says so, and the peer is our own crank.
      this.#waiting.set(id, { resolve: (result) => resolve(result as Methods[M]["result"]), reject });
    });
  }

  close(): void {
    this.#channel?.destroy();
    this.lose(null);
  }

  lose(reason: ChannelError | null): void {
    if (this.#lost !== null) return;
    const why = reason === null ? "crank has closed the connection" : `the connection was lost: ${reason.message}`;
    this.#lost = new ConnectionLostError(why, { cause: reason });
    for (const waiting of this.#waiting.values()) waiting.reject(this.#lost);
    this.#waiting.clear();
    this.#tellEnd();
  }

  take(bytes: Uint8Array): void {
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      this.#line(this.#joined(bytes.subarray(from, end)));
      from = end + 1;
    }
    if (from === bytes.length) return;
    // The bytes are ours only during this call.
    this.#partial.push(bytes.slice(from));
    this.#partialBytes += bytes.length - from;
    if (this.#partialBytes > MAX_LINE_BYTES) this.close();
  }

  #joined(rest: Uint8Array): Uint8Array {
    if (this.#partial.length === 0) return rest;
    const whole = Buffer.concat([...this.#partial, rest]);
    this.#partial = [];
    this.#partialBytes = 0;
    return whole;
  }

  #line(bytes: Uint8Array): void {
    const line = parseServerLine(bytes);
    if (line.kind === "notification") {
      // As with results: what crank calls `progress` has the shape of progress.
      this.#onNotification({ method: line.method, params: line.params } as Notification);
      return;
    }
    if (line.kind === "other") return;
    const waiting = typeof line.id === "number" ? this.#waiting.get(line.id) : undefined;
    if (waiting === undefined) return;
    this.#waiting.delete(Number(line.id));
    if (line.kind === "result") waiting.resolve(line.result);
    else waiting.reject(new CallError(line.error));
  }
}
