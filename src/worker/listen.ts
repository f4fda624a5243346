// Makes a server listen on crank's socket, on each runtime.
import { Server as HttpsServer } from "node:https";
import { type AddressInfo, createServer, Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { type ListeningSocket, type OwnAddress, sockets } from "./sockets.ts";
import { watch, watchedServer } from "./watch.ts";

export type ListenOptions = {
  /** Which socket: its name, its number in the order of crank's `-bind`s, or one that `sockets()` gave. Default: the first. */
  readonly socket?: string | number | ListeningSocket;
  /** Where to listen without crank. */
  readonly port?: number;
  readonly host?: string;
  /** The length of the accept queue; the last call of listen(2) sets it. Default: 4096. */
  readonly backlog?: number;
  /** Bun only: the key and certificate of an `https` server again. */
  readonly tls?: TlsOptions;
};

const BACKLOG = 4096;

/**
 * Makes a server of node:net, tls, http, https or http2 listen on a socket of crank, or on `port` without crank, and tracks
 * its connections for `drain`. Resolves with the address when it listens; rejects when it cannot.
 *
 * Under Bun 1.4 the servers of node:http and node:https silently listen somewhere else when they are given a descriptor.
 * There, a plain server accepts for them and passes the connections on. So they emit no `listening` and have no address.
 */
export const listen = async (server: Server, options: ListenOptions = {}): Promise<AddressInfo | string | null> => {
  const target = targetOf(options);
  watch(server);
  // Bun's HTTP servers are no node:net servers.
  const door = server instanceof Server ? server : doorTo(server, options.tls);
  watchedServer(server).door = door;
  const backlog = options.backlog ?? BACKLOG;
  await new Promise<void>((resolve, reject) => {
    door.once("error", reject);
    const listening = (): void => {
      door.off("error", reject);
      resolve();
    };
    // Node ignores a backlog beside `fd`, and listens with 511. As an argument it counts, but the types lack that call.
    if ("fd" in target) Reflect.apply(door.listen, door, [{ fd: target.fd }, backlog, listening]);
    else door.listen({ ...target, backlog }, listening);
  });
  return door.address();
};

const targetOf = ({ socket = 0, port, host }: ListenOptions): ListeningSocket => {
  if (typeof socket === "object") return socket;
  const own: OwnAddress | undefined = port === undefined ? undefined : { port, ...(host !== undefined && { host }) };
  const [first] = sockets(socket, own);
  if (!first) throw new Error(`there is no socket ${socket}`);
  return first;
};

const doors = new WeakSet<Server>();

/** Whether a server only accepts for another one. */
export const isDoor = (server: Server): boolean => doors.has(server);

/** A server that accepts for one which cannot listen on a descriptor. */
export const doorTo = (server: object & Pick<Server, "emit">, tls: TlsOptions | undefined): Server => {
  const handOn = (socket: Socket): void => {
    server.emit("connection", socket);
  };
  const isHttps = server instanceof HttpsServer;
  if (isHttps && !tls)
    throw new Error(
      "under Bun, listen() needs the key and certificate of an https server too: listen(server, { tls: { key, cert } })",
    );
  const door = isHttps && tls ? createTlsServer(tls, handOn) : createServer({ allowHalfOpen: true }, handOn);
  doors.add(door);
  return door;
};
