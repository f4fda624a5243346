// Tracks the clients of a server. Tracking must begin before the first connection, because no runtime can list connections
// and their state afterwards.
import { Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Http2Session } from "node:http2";
import { Server, type Socket } from "node:net";
import process from "node:process";
import { Server as TlsServer } from "node:tls";
import { type Client, http2Client, plainClient } from "./clients.ts";
import { HttpClient } from "./http-client.ts";

/** A server and its current clients. */
export class WatchedServer {
  readonly clients = new Set<Client>();
  /** Connections that were HTTP once, and have been handed to another protocol. */
  readonly upgraded = new Set<Client>();
  onClient: (client: Client) => void = () => {};
  /** The server that accepts: itself, or another one if it cannot listen on a descriptor. */
  door: Server;
  readonly #httpClients = new WeakMap<Socket, HttpClient>();

  constructor(server: Server) {
    this.door = server;
  }

  /**
   * Stops accepting; resolves when all connections have ended. It is the plain server's `close` that is called:
   * the one of HTTP servers would end idle connections at once, under their next request.
   */
  close(): Promise<void> {
    return new Promise((resolve) => {
      // Bun's HTTP servers, when they listen by themselves, are no plain servers: there, their own is all there is.
      const { close } = (this.door instanceof Server ? Server : HttpServer).prototype;
      close.call(this.door, () => resolve());
      // Deno (2.9) ends a connection after its next answer if the server says that it does not listen, and tells the
      // client nothing about it. Here the drain decides when a connection ends.
      if (process.versions.deno !== undefined)
        Object.defineProperty(this.door, "listening", { value: true, configurable: true });
    });
  }

  add(client: Client, connection: Socket | Http2Session): void {
    this.clients.add(client);
    connection.once("close", () => this.clients.delete(client));
    this.onClient(client);
  }

  http(socket: Socket): HttpClient {
    const seen = this.#httpClients.get(socket);
    if (seen) return seen;
    const client = new HttpClient(socket);
    this.#httpClients.set(socket, client);
    this.add(client, socket);
    return client;
  }

  /** A connection changes to another protocol. */
  upgrade(socket: Socket): void {
    const http = this.http(socket);
    http.upgraded();
    this.clients.delete(http);
    const client = plainClient(socket);
    this.upgraded.add(client);
    socket.once("close", () => this.upgraded.delete(client));
  }
}

const known = new WeakMap<Server, WatchedServer>();

/** What is known about a server. Throws if it is not watched. */
export const watchedServer = (server: Server): WatchedServer => {
  const watched = known.get(server);
  if (watched) return watched;
  throw new Error("this server is not tracked: use listen(), or call watch() before it listens");
};

export const isWatched = (server: Server): boolean => known.has(server);

/** Connections that have been handed to the WebSocket protocol. */
const webSockets = new WeakSet<Socket>();

export const isWebSocket = (socket: Socket): boolean => webSockets.has(socket);

/** Tracks a server's connections from now on, for a later `drain`. (`listen` calls it.) */
export const watch = (server: Server): void => {
  if (known.has(server)) return;
  const watched = new WatchedServer(server);
  known.set(server, watched);
  const hearings = hearingsFor(server);
  // Every overload of emit takes a name and what goes with it.
  const emit = server.emit.bind(server) as (event: string, ...args: readonly unknown[]) => boolean;
  // Not listeners: a server that has one for `upgrade` or `checkContinue` treats its clients differently.
  server.emit = (event: string, ...args: readonly unknown[]) =>
    hearings[event]?.(watched, args[0], args[1]) === "ours" || emit(event, ...args);
};

/** A listener, with the runtime's arguments. "ours": no other listener is called. */
type Hearing = (watched: WatchedServer, first: unknown, second: unknown) => "ours" | undefined;

const hearingsFor = (server: Server): Readonly<Record<string, Hearing>> => {
  // Behind TLS, connections count from when they are encrypted; closing the server waits for the others.
  const arrival = server instanceof TlsServer ? "secureConnection" : "connection";
  const speaksHttp1 = "closeIdleConnections" in server;
  const speaksHttp2 = "updateSettings" in server;
  if (!speaksHttp1 && !speaksHttp2) return { [arrival]: hearPlain };
  return { ...(speaksHttp1 && { [arrival]: hearHttp, ...HTTP }), ...(speaksHttp2 && { session: hearSession }) };
};

// Each `as` below says what the runtimes pass to listeners of that event.

const hearPlain: Hearing = (watched, socket) => {
  watched.add(plainClient(socket as Socket), socket as Socket);
  return undefined;
};

const hearSession: Hearing = (watched, session) => {
  watched.add(http2Client(session as Http2Session), session as Http2Session);
  return undefined;
};

const hearHttp: Hearing = (watched, socket) => {
  const { alpnProtocol } = socket as { readonly alpnProtocol?: string | false | null };
  if (alpnProtocol !== "h2") watched.http(socket as Socket);
  return undefined;
};

const hearRequest: Hearing = (watched, first, response) => {
  const request = first as IncomingMessage;
  if (request.httpVersionMajor >= 2) return undefined;
  return watched.http(request.socket).request(request, response as ServerResponse);
};

const hearUpgrade: Hearing = (watched, first) => {
  const { socket, headers } = first as IncomingMessage;
  watched.upgrade(socket);
  if (headers.upgrade?.toLowerCase() === "websocket") webSockets.add(socket);
  return undefined;
};

const HTTP: Readonly<Record<string, Hearing>> = {
  request: hearRequest,
  checkContinue: hearRequest,
  checkExpectation: hearRequest,
  upgrade: hearUpgrade,
  connect: hearUpgrade,
};
