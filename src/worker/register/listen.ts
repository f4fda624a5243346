// Replaces listen() of net.Server, so that an unchanged application listens on crank's sockets and reports READY=1.
import cluster from "node:cluster";
import { Server } from "node:net";
import process from "node:process";
import type { PassedSocket } from "../environment.ts";
import { isDoor } from "../listen.ts";
import { ready } from "../notify.ts";
import { isWatched } from "../watch.ts";
import type { BoundSocket } from "./bound-addresses.ts";
import { doorFor, httpPrototypes, warnOfServe } from "./bun.ts";
import { RegisteredDrain } from "./drain.ts";
import { callbackOf, signalOf, type Wish, wishOf } from "./listen-arguments.ts";
import type { RegisterSettings } from "./settings.ts";
import { RegisteredSockets } from "./sockets.ts";

/** listen(2) limits it to net.core.somaxconn. So the accept queue never becomes shorter than crank made it. */
const LONGEST_BACKLOG = 2 ** 31 - 1;
/** How long after the first listen() it is reported that others are missing, ms. */
const MISSING_AFTER_MS = 5_000;

/** From now on, listen() takes these sockets. */
export const replaceListen = (passed: readonly PassedSocket[], settings: RegisterSettings): void => {
  const sockets = new RegisteredSockets(passed, settings.ports);
  const drain = new RegisteredDrain(settings);
  const readiness = new Readiness(sockets);
  const original = Server.prototype.listen;
  const http = new Map(httpPrototypes().map((prototype) => [prototype, prototype.listen]));
  const originalOf = (server: Server): typeof original =>
    [...http].find(([prototype]) => Object.prototype.isPrototypeOf.call(prototype, server))?.[1] ?? original;
  const replaced = function (this: Server, ...args: readonly unknown[]): Server {
    // The second listen() of a server is an error, and Node says which.
    const wish = wishOf(args);
    const socket = this.listening ? null : sockets.take(wish);
    // A server of the library's own listen(): the application does the rest itself.
    if (!socket || isWatched(this) || isDoor(this)) return Reflect.apply(originalOf(this), this, args);
    sayTaken(wish, socket);
    const door = this instanceof Server ? this : doorFor(this);
    drain.add(this);
    this.once("listening", () => {
      if (isForCluster() && wish.kind === "port") showPort(this, wish.port);
      readiness.listens();
    });
    const callback = callbackOf(args);
    const options = { fd: socket.fd, ...signalOf(args) };
    if (callback) this.once("listening", callback);
    Reflect.apply(original, door, [options, LONGEST_BACKLOG]);
    return this;
  };
  // It takes what listen() takes, and passes it on.
  for (const prototype of [Server.prototype, ...http.keys()]) prototype.listen = replaced as typeof original;
  warnOfServe(say);
};

const isForCluster = (): boolean => cluster.isPrimary && Object.keys(cluster.workers ?? {}).length > 0;

/** Node's handle of a server: there is no public way to it. */
type Handle = { getsockname?: (out: { port?: number }) => number };

/** The workers of node:cluster refuse a socket that is bound to another port than they asked for. */
const showPort = (server: Server, port: number): void => {
  // Node's own, and only looked at if it has the function.
  const { _handle: handle } = server as unknown as { readonly _handle?: Handle | null };
  const original = handle?.getsockname;
  if (!handle || !original || port === 0) return;
  handle.getsockname = (out) => {
    const result: number = Reflect.apply(original, handle, [out]);
    out.port = port;
    return result;
  };
};

/** In a process that the sockets were not passed to: says why nothing is taken, when it listens. */
export const warnForeign = (whyForeign: string): void => {
  const original = Server.prototype.listen;
  const replaced = function (this: Server, ...args: readonly unknown[]): Server {
    Server.prototype.listen = original;
    say(whyForeign);
    return Reflect.apply(original, this, args);
  };
  // As above.
  Server.prototype.listen = replaced as typeof original;
};

/** Sends READY=1 when all sockets that are expected to be taken are listened on. */
class Readiness {
  readonly #sockets: RegisteredSockets;
  #listening = 0;

  constructor(sockets: RegisteredSockets) {
    this.#sockets = sockets;
  }

  listens(): void {
    this.#listening += 1;
    // After the application's own listeners: one that throws is not ready.
    if (this.#listening === this.#sockets.expected) setImmediate(ready);
    if (this.#listening === 1 && this.#sockets.expected > 1)
      setTimeout(() => this.#sayMissing(), MISSING_AFTER_MS).unref();
  }

  #sayMissing(): void {
    const { expected, left } = this.#sockets;
    if (this.#listening < expected)
      say(
        `the application listens on ${this.#listening} of ${expected} sockets, not on ${left}; READY=1 waits for all`,
      );
  }
}

const sayTaken = (wish: Wish, { fd, port, path, name }: BoundSocket): void => {
  if (wish.kind !== "port" || wish.port === 0 || wish.port === port) return;
  const where = path ?? (port === null ? `descriptor ${fd}` : `port ${port}`);
  say(`port ${wish.port} of the application is crank's socket ${name} (${where})`);
};

const say = (text: string): void => {
  process.stderr.write(`crank/register: ${text}\n`);
};
