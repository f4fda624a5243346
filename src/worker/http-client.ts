// A connection that speaks HTTP/1: which requests are under way on it, and how it is asked to go.
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Client, Manners } from "./clients.ts";

/** How long the other side may take to close when this one has, ms. */
const LINGER_MS = 1_000;

/**
 * Requests that are under way are finished. From being asked on, answers carry `Connection: close`; a connection that
 * rests is given the grace time for one more request before it is closed, because closing it at once would hit those
 * whose next request is on its way.
 */
export class HttpClient implements Client {
  readonly #socket: Socket;
  readonly #answers = new Set<ServerResponse>();
  #manners: Manners | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #bytesAtRest = 0;
  /** Ours no more: upgraded to another protocol. */
  #isUpgraded = false;
  #isClosed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.once("close", () => {
      this.#isClosed = true;
      clearTimeout(this.#timer);
    });
  }

  /** A request has come. "ours": the connection is closed already, nobody would get the answer, and nobody is to do the work. */
  request(response: ServerResponse): "ours" | undefined {
    if (this.#isClosed) return "ours";
    clearTimeout(this.#timer);
    this.#answers.add(response);
    if (this.#manners) response.setHeader("connection", "close");
    response.once("close", () => this.#answered(response));
    return undefined;
  }

  upgraded(): void {
    this.#isUpgraded = true;
    clearTimeout(this.#timer);
  }

  ask(manners: Manners): void {
    this.#manners = manners;
    if (this.#isUpgraded) return;
    for (const answer of this.#answers) if (!answer.headersSent) answer.setHeader("connection", "close");
    this.#closeLater(manners);
  }

  cut(): void {
    this.#socket.destroy();
  }

  #answered(response: ServerResponse): void {
    this.#answers.delete(response);
    this.#bytesAtRest = this.#socket.bytesRead;
    if (this.#manners) this.#closeLater(this.#manners);
  }

  #closeLater(manners: Manners): void {
    if (this.#answers.size > 0 || this.#isUpgraded || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // Half a request has come: it gets its time too. (The server's own limits end one that stays half.)
      const isArriving = this.#socket.bytesRead > this.#bytesAtRest;
      this.#bytesAtRest = this.#socket.bytesRead;
      if (isArriving) this.#closeLater(manners);
      else this.#close();
    }, manners.graceMs);
  }

  #close(): void {
    this.#isClosed = true;
    this.#socket.end();
    this.#timer = setTimeout(() => this.#socket.destroy(), LINGER_MS);
  }
}
