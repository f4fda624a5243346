// A client of the control protocol: one connection, typed calls, notifications as they come. Retries after a
// lost connection are in deploy-call.ts.
import { host } from "#host";
import { joinBytes } from "../host/bytes.ts";
import type { Timer } from "../host/clock.ts";
import { type Channel, ChannelError, connectTcp, connectUnix } from "../keeper/channel.ts";
import { LIMITS } from "../keeper/protocol.ts";
import { encodeRequest, parseServerLine } from "./jsonrpc.ts";
import type { Method, Methods, Notifications, RpcError } from "./messages.ts";

/** Where a crank listens for control. Over tcp the token is sent first. */
export type ControlAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly token: string };

/** A notification as a value: `{ method: "event", params: … }`. */
export type Notification = {
  [N in keyof Notifications]: { readonly method: N; readonly params: Notifications[N] };
}[keyof Notifications];

/** No connection could be opened. `message` names the address and the reason. */
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
  override readonly name: string = "ConnectionLostError";
  readonly code: string = "lost";
}

/** The connection was closed by the client: an answer that was due at once did not arrive, or the peer is not a crank. */
export class NoAnswerError extends ConnectionLostError {
  override readonly name = "NoAnswerError";
  override readonly code = "noAnswer";
}

/** A request that is too long for crank: it was not sent. */
export class RequestTooLongError extends Error {
  override readonly name = "RequestTooLongError";
  readonly code = "tooLong";
}

/** crank answered with an error: `message` is its sentence, `rpc` the whole error. */
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

type Waiting = {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  /** Ends the wait for an answer that is due at once. */
  readonly timer?: Timer;
};

/** An open connection to a crank. */
export type Client = {
  /**
   * Sends a request and waits for the answer: without a limit if the request waits for something, else for `answerMs`.
   * Throws CallError, ConnectionLostError, NoAnswerError or RequestTooLongError.
   */
  call<M extends Method>(method: M, params: Methods[M]["params"]): Promise<Methods[M]["result"]>;
  /** Resolves when the connection has ended, on either side. */
  readonly ended: Promise<void>;
  /** Ends the connection; calls that wait are rejected. */
  close(): void;
};

/**
 * Connects, sends the token over tcp, and passes every notification to `onNotification` in order: those after an answer come
 * after that answer. Throws ConnectError, CallError if the token is refused, or what a call throws if it is not answered.
 */
export const connect = async (
  address: ControlAddress,
  onNotification: (notification: Notification) => void,
  answerMs = ANSWER_MS,
): Promise<Client> => {
  const connection = new Connection(onNotification, answerMs);
  try {
    connection.use(await open(address, connection));
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    throw new ConnectError(error.code, error.message, { cause: error });
  }
  if (address.kind === "tcp") await connection.call("authenticate", { token: address.token });
  return connection;
};

/** A supervisor that answers nothing for 10 s is restarted, and the next one answers. */
const ANSWER_MS = 15_000;

/** The keeper's limit for a connection, so no line of a crank is longer. */
const MAX_LINE_BYTES = LIMITS.connectionOutputBytes;
/** Limit for received bytes while an answer is due at once: the answer, and all events that are kept. */
const MAX_WAITING_BYTES = 8 * MAX_LINE_BYTES;
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

/** Whether the answer is due at once. The answer of a rollout waits for workers. */
const isDueAtOnce = (method: Method, params: object): boolean =>
  !ROLLOUTS.has(method) && !("wait" in params && params.wait === true);
const ROLLOUTS: ReadonlySet<Method> = new Set(["run", "reload", "rollback"]);

const tooLong = (bytes: number): RequestTooLongError =>
  new RequestTooLongError(
    `the request would have ${bytes} bytes, and crank takes at most ${LIMITS.lineBytes} (1 MiB); pass long values in a file`,
  );

class Connection implements Client {
  readonly ended: Promise<void>;
  readonly #onNotification: (notification: Notification) => void;
  #channel: Channel | null = null;
  #nextId = 1;
  #waiting = new Map<number, Waiting>();
  #partial: Uint8Array[] = [];
  #partialBytes = 0;
  /** Since the client began to wait for the first answer that is due at once. */
  #waitingBytes = 0;
  #lost: Error | null = null;
  #resolveEnd: () => void = () => {};
  readonly #answerMs: number;

  constructor(onNotification: (notification: Notification) => void, answerMs: number) {
    this.#onNotification = onNotification;
    this.#answerMs = answerMs;
    this.ended = new Promise((resolve) => {
      this.#resolveEnd = resolve;
    });
  }

  use(channel: Channel): void {
    this.#channel = channel;
  }

  call<M extends Method>(method: M, params: Methods[M]["params"]): Promise<Methods[M]["result"]> {
    if (this.#lost !== null) return Promise.reject(this.#lost);
    const id = this.#nextId++;
    const line = new TextEncoder().encode(encodeRequest(id, method, params));
    if (line.length > LIMITS.lineBytes) return Promise.reject(tooLong(line.length));
    this.#channel?.write(line);
    return new Promise((resolve, reject) => {
      const timer = isDueAtOnce(method, params)
        ? host.clock.after(this.#answerMs, () => this.#giveUp(method))
        : undefined;
      // The answer to a request has the result of its method: the protocol says so, and the peer is our own crank.
      const waiting = { resolve: (result: unknown) => resolve(result as Methods[M]["result"]), reject };
      this.#waiting.set(id, timer === undefined ? waiting : { ...waiting, timer });
    });
  }

  #giveUp(method: Method): void {
    const seconds = Math.round(this.#answerMs / 1000);
    this.#end(new NoAnswerError(`no answer to ${method} within ${seconds} s; is this the control socket of a crank?`));
    this.#channel?.destroy();
  }

  close(): void {
    this.#channel?.destroy();
    this.lose(null);
  }

  lose(reason: ChannelError | null): void {
    if (this.#lost !== null) return;
    const why = reason === null ? "crank closed the connection" : `the connection was lost: ${reason.message}`;
    this.#end(new ConnectionLostError(why, { cause: reason }));
  }

  #end(error: Error): void {
    if (this.#lost !== null) return;
    this.#lost = error;
    for (const waiting of this.#waiting.values()) {
      waiting.timer?.cancel();
      waiting.reject(error);
    }
    this.#waiting.clear();
    this.#resolveEnd();
  }

  /** The peer is not a crank: stop reading. */
  #refuse(what: string): void {
    this.#end(new NoAnswerError(`${what}; is this the control socket of a crank?`));
    this.#channel?.destroy();
  }

  take(bytes: Uint8Array): void {
    if (this.#lost !== null) return;
    const isWaiting = [...this.#waiting.values()].some(({ timer }) => timer !== undefined);
    this.#waitingBytes = isWaiting ? this.#waitingBytes + bytes.length : 0;
    if (this.#waitingBytes > MAX_WAITING_BYTES) return this.#refuse("the answer is too long");
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      this.#line(this.#joined(bytes.subarray(from, end)));
      from = end + 1;
    }
    if (from === bytes.length) return;
    // The bytes are valid only during this call.
    this.#partial.push(bytes.slice(from));
    this.#partialBytes += bytes.length - from;
    if (this.#partialBytes > MAX_LINE_BYTES) this.#refuse(`a line of more than ${MAX_LINE_BYTES} bytes came`);
  }

  #joined(rest: Uint8Array): Uint8Array {
    if (this.#partial.length === 0) return rest;
    const whole = joinBytes([...this.#partial, rest]);
    this.#partial = [];
    this.#partialBytes = 0;
    return whole;
  }

  #line(bytes: Uint8Array): void {
    const line = parseServerLine(bytes);
    if (line.kind === "notification") {
      // As with results: a notification that crank calls `progress` has the shape of progress.
      this.#onNotification({ method: line.method, params: line.params } as Notification);
      return;
    }
    if (line.kind === "other") return;
    const waiting = typeof line.id === "number" ? this.#waiting.get(line.id) : undefined;
    if (waiting === undefined) return;
    waiting.timer?.cancel();
    this.#waiting.delete(Number(line.id));
    if (line.kind === "result") waiting.resolve(line.result);
    else waiting.reject(new CallError(line.error));
  }
}
