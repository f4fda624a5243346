// Which socket of crank a listen() of an unchanged application takes: by its port, else the next one that is not taken.

import type { PassedSocket } from "../environment.ts";
import { type BoundSocket, boundSockets } from "./bound-addresses.ts";
import type { Wish } from "./listen-arguments.ts";
import type { WantedPort } from "./settings.ts";

export class RegisteredSockets {
  readonly #free: BoundSocket[];
  readonly #wanted: readonly WantedPort[] | null;
  /** How many listens are expected to take a socket. */
  readonly expected: number;

  constructor(passed: readonly PassedSocket[], wanted: readonly WantedPort[] | null) {
    this.#free = [...boundSockets(passed)];
    this.#wanted = wanted;
    this.expected = Math.min(this.#free.length, wanted?.length ?? this.#free.length);
    for (const { port, socket } of wanted ?? [])
      if (socket !== null && !this.#free.some(({ name }) => name === socket))
        throw new Error(`CRANK_LISTEN: crank passed no socket named ${socket} for port ${port}`);
  }

  /** What is not taken, for a message. */
  get left(): string {
    return this.#free.map(({ name, fd }) => `${name} (descriptor ${fd})`).join(", ");
  }

  /** The socket for this listen(), which is taken from now on. Null: listen as without crank. */
  take(wish: Wish): BoundSocket | null {
    const index = this.#indexFor(wish);
    return index < 0 ? null : (this.#free.splice(index, 1)[0] ?? null);
  }

  #indexFor(wish: Wish): number {
    switch (wish.kind) {
      case "port":
        return this.#indexForPort(wish.port);
      case "path":
        return this.#free.findIndex(({ path }) => path === wish.path);
      case "fd":
        return this.#free.findIndex(({ fd }) => fd === wish.fd);
      case "other":
        return -1;
    }
  }

  #indexForPort(port: number): number {
    const wanted = this.#wanted?.find((one) => one.port === port);
    if (this.#wanted !== null && !wanted) return -1;
    if (wanted && wanted.socket !== null) return this.#free.findIndex(({ name }) => name === wanted.socket);
    const samePort = port === 0 ? -1 : this.#free.findIndex((socket) => socket.port === port);
    return samePort >= 0 ? samePort : Math.min(0, this.#free.length - 1);
  }
}
