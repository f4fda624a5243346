// The simulated keeper's control connections: bytes from clients become lines, and answers go back to them.
import { LIMITS } from "../../src/keeper/protocol.ts";
import type { PostedEvent } from "./events.ts";
import type { CommandOf, Failing, SimulatedWorld } from "./world.ts";

type Peer = { readonly pid: number; readonly uid: number; readonly gid: number };
type Connection = Peer & { readonly id: number; readonly listener: number; held: Uint8Array; hasSpoken: boolean };

/** Limits of a first line from an unknown client, and of an HTTP head. */
const MOST_FIRST_LINE = 64 * 1024;
const MOST_HEAD = 16 * 1024;

/** The reasons in `closed`. */
const CLOSED = { byPeer: 0, byUs: 1, lineTooLong: 2 } as const;
const NEWLINE = 10;
const NOTHING = new Uint8Array(0);
const ENOTCONN = 107;

export class SimulatedStreams {
  readonly #world: SimulatedWorld;
  readonly #post: (happening: PostedEvent) => void;
  readonly #connections = new Map<number, Connection>();
  /** Listeners for HTTP requests. */
  readonly #heads = new Set<number>();
  #last = 0;

  constructor(world: SimulatedWorld, post: (happening: PostedEvent) => void) {
    this.#world = world;
    this.#post = post;
  }

  hello(): ({ readonly kind: "helloConnection"; readonly connection: number; readonly listener: number } & Peer)[] {
    return [...this.#connections.values()].map(({ id, listener, pid, uid, gid }) => ({
      kind: "helloConnection",
      connection: id,
      listener,
      pid,
      uid,
      gid,
    }));
  }

  takeHeadsOn(listener: number): void {
    this.#heads.add(listener);
  }

  connect(listener: number, peer: Peer): number {
    this.#last += 1;
    this.#connections.set(this.#last, { ...peer, id: this.#last, listener, held: NOTHING, hasSpoken: false });
    return this.#last;
  }

  /** Splits bytes from a client into lines; an incomplete line is kept. */
  receive(id: number, bytes: Uint8Array): void {
    const connection = this.#connections.get(id);
    if (!connection) return;
    if (this.#heads.has(connection.listener)) return this.#receiveHead(connection, bytes);
    let rest = joined(connection.held, bytes);
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      if (end > longestLine(connection)) return this.#refuseLine(connection);
      this.#tell(connection, rest.slice(0, end));
      rest = rest.subarray(end + 1);
    }
    connection.held = rest.slice();
    if (rest.length > longestLine(connection)) this.#refuseLine(connection);
  }

  #refuseLine(connection: Connection): void {
    const error = { code: -32600, message: "the line is too long" };
    const answer = `${JSON.stringify({ jsonrpc: "2.0", id: null, error })}\n`;
    this.#world.answer(connection.id, new TextEncoder().encode(answer));
    this.#close(connection, CLOSED.lineTooLong);
  }

  /** Delivers the first line of a request when its head is complete, and nothing after it. */
  #receiveHead(connection: Connection, bytes: Uint8Array): void {
    if (connection.hasSpoken) return;
    connection.held = joined(connection.held, bytes);
    const text = new TextDecoder("latin1").decode(connection.held);
    const [first = ""] = text.split("\n");
    const hasHead = first.includes(" HTTP/1.");
    const isWhole = hasHead ? /\n\r?\n/.test(text) : text.includes("\n");
    if (isWhole && text.length <= MOST_HEAD) {
      this.#tell(connection, connection.held.slice(0, first.length));
      connection.held = NOTHING;
    } else if (text.length > MOST_HEAD) {
      this.#world.answer(
        connection.id,
        new TextEncoder().encode("HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n"),
      );
      this.#close(connection, CLOSED.byUs);
    }
  }

  #tell(connection: Connection, bytes: Uint8Array): void {
    const { id, listener, pid, uid, gid } = connection;
    connection.hasSpoken = true;
    this.#post({ kind: "line", connection: id, listener, pid, uid, gid, bytes });
  }

  hangUp(id: number): void {
    const connection = this.#connections.get(id);
    if (connection) this.#close(connection, CLOSED.byPeer);
  }

  write(command: CommandOf<"write">): Failing | null {
    const connection = this.#connections.get(command.connection);
    const isClose = command.close !== 0 && command.bytes.length === 0;
    if (!connection) return isClose ? null : { step: "write", errno: ENOTCONN };
    this.#world.answer(connection.id, command.bytes);
    if (command.close !== 0) this.#close(connection, CLOSED.byUs);
    return null;
  }

  /** The supervisor only knows connections that have delivered a line, so only their end is reported. */
  #close(connection: Connection, reason: number): void {
    this.#connections.delete(connection.id);
    if (reason !== CLOSED.byPeer) this.#world.hangUp(connection.id);
    if (connection.hasSpoken) this.#post({ kind: "closed", connection: connection.id, reason });
  }
}

const longestLine = ({ uid, hasSpoken }: Connection): number =>
  uid === 0 || hasSpoken ? LIMITS.lineBytes : MOST_FIRST_LINE;

const joined = (first: Uint8Array, second: Uint8Array): Uint8Array => {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
};
