// WebSocket clients: those of `ws`, or any list of objects with a `close`.
import type { Server } from "node:net";
import type { Client, Manners } from "./clients.ts";

/** A WebSocket: of `ws`, of the standard, or a connection of the application's own with the same `close`. */
export interface WebSocketLike {
  close(code?: number, reason?: string): void;
  terminate?(): void;
  once?(event: "close", listener: () => void): unknown;
  addEventListener?(event: "close", listener: () => void): unknown;
}

/** A WebSocket server such as `ws`'s, or `{ clients }` with a list of one's own. */
export interface WebSocketServerLike {
  readonly clients: Iterable<WebSocketLike>;
  readonly options?: { readonly server?: Server | null | undefined };
  on?(event: "connection", listener: (socket: WebSocketLike) => void): unknown;
}

class WebSocketClient implements Client {
  readonly #socket: WebSocketLike;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: WebSocketLike) {
    this.#socket = socket;
  }

  ask({ closeCode, reason, graceMs }: Manners): void {
    this.#socket.close(closeCode, reason);
    this.#timer = setTimeout(() => this.cut(), graceMs);
  }

  cut(): void {
    this.#socket.terminate?.();
  }

  gone(): void {
    clearTimeout(this.#timer);
  }
}

/** All clients of some WebSocket servers, including those that come meanwhile. */
export class WebSocketClients {
  /** The clients that are asked at the start. */
  readonly first: Client[] = [];
  /** The current clients. */
  readonly clients = new Set<Client>();
  onClient: (client: Client) => void = () => {};
  #onEmpty: () => void = () => {};

  constructor(servers: readonly WebSocketServerLike[]) {
    for (const server of servers) {
      for (const socket of server.clients) this.first.push(this.#add(socket));
      server.on?.("connection", (socket) => this.onClient(this.#add(socket)));
    }
  }

  /** Resolves when no client is left. Clients that do not report their end are not waited for: their server does that. */
  gone(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      if (this.clients.size === 0) resolve();
    });
  }

  #add(socket: WebSocketLike): Client {
    const client = new WebSocketClient(socket);
    const remove = (): void => {
      client.gone();
      this.clients.delete(client);
      if (this.clients.size === 0) this.#onEmpty();
    };
    if (socket.once) socket.once("close", remove);
    else if (socket.addEventListener) socket.addEventListener("close", remove);
    else return client;
    this.clients.add(client);
    return client;
  }
}
