// The simulated keeper's control connections: what clients send becomes lines, what is written goes back to them.
import { LIMITS } from "./protocol.ts";
import type { Happening } from "./simulated-events.ts";
import type { CommandOf, Failing, SimulatedWorld } from "./simulated-world.ts";

type Peer = { readonly pid: number; readonly uid: number; readonly gid: number };
type Connection = Peer & { readonly id: number; readonly listener: number; held: Uint8Array; hasSpoken: boolean };

/** Why a connection was closed, as in `closed`. */
const CLOSED = { byPeer: 0, byUs: 1, lineTooLong: 2 } as const;
const NEWLINE = 10;
const NOTHING = new Uint8Array(0);
const ENOTCONN = 107;

export class SimulatedStreams {
  readonly #world: SimulatedWorld;
  readonly #post: (happening: Happening) => void;
  readonly #connections = new Map<number, Connection>();
  #last = 0;

  constructor(world: SimulatedWorld, post: (happening: Happening) => void) {
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

  connect(listener: number, peer: Peer): number {
    this.#last += 1;
    this.#connections.set(this.#last, { ...peer, id: this.#last, listener, held: NOTHING, hasSpoken: false });
    return this.#last;
  }

  /** What a client sent, cut into lines; half a line is kept. */
  receive(id: number, bytes: Uint8Array): void {
    const connection = this.#connections.get(id);
    if (!connection) return;
    let rest = joined(connection.held, bytes);
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      if (end > LIMITS.lineBytes) return this.#close(connection, CLOSED.lineTooLong);
      const { listener, pid, uid, gid } = connection;
      connection.hasSpoken = true;
      this.#post({ kind: "line", connection: id, listener, pid, uid, gid, bytes: rest.slice(0, end) });
      rest = rest.subarray(end + 1);
    }
    connection.held = rest.slice();
    if (rest.length > LIMITS.lineBytes) this.#close(connection, CLOSED.lineTooLong);
  }

  hangUp(id: number): void {
    const connection = this.#connections.get(id);
    if (connection) this.#close(connection, CLOSED.byPeer);
  }

  write(command: CommandOf<"write">): Failing | null {
    const connection = this.#connections.get(command.connection);
    const isClose = command.close === 1 && command.bytes.length === 0;
    if (!connection) return isClose ? null : { step: "write", errno: ENOTCONN };
    this.#world.answer(connection.id, command.bytes);
    if (command.close === 1) this.#close(connection, CLOSED.byUs);
    return null;
  }

  /** Only one that has said something is known to the supervisor, and only of such a one is the end told. */
  #close(connection: Connection, reason: number): void {
    this.#connections.delete(connection.id);
    if (reason !== CLOSED.byPeer) this.#world.hangUp(connection.id);
    if (connection.hasSpoken) this.#post({ kind: "closed", connection: connection.id, reason });
  }
}

const joined = (first: Uint8Array, second: Uint8Array): Uint8Array => {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
};
