// A connection that speaks HTTP/1: which requests are in flight on it, and how it is asked to leave.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Client, Manners } from "./clients.ts";

/** How long the peer may take to close after this side has, ms. */
const LINGER_MS = 1_000;

/** How soon at most a connection is looked at again, ms. */
const LOOK_AGAIN_MS = 100;

/**
 * Requests in flight are finished. After the client was asked to leave, answers carry `Connection: close`. An idle connection
 * has the grace time for one more request before it is closed, because closing it at once would break a request that is on
 * its way.
 */
export class HttpClient implements Client {
  readonly #socket: Socket;
  readonly #answers = new Set<ServerResponse>();
  #manners: Manners | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** How many bytes have come that belong to requests. */
  #bytesAtRest: number;
  /** Upgraded to another protocol: not handled here any more. */
  #isUpgraded = false;
  #isClosed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#bytesAtRest = socket.bytesRead;
    socket.once("close", () => {
      this.#isClosed = true;
      clearTimeout(this.#timer);
    });
  }

  /** A request has come. "ours": the connection is already closed, so no answer could be sent, and the work is skipped. */
  request(request: IncomingMessage, response: ServerResponse): "ours" | undefined {
    if (this.#isClosed) return "ours";
    clearTimeout(this.#timer);
    this.#answers.add(response);
    this.#bytesAtRest = this.#socket.bytesRead;
    if (this.#manners) response.setHeader("connection", "close");
    response.once("close", () => {
      this.#answers.delete(response);
      // What came after a request's head was its body; without one, it was the next request.
      if (hasBody(request)) this.#bytesAtRest = this.#socket.bytesRead;
      if (this.#manners) this.#closeLater(this.#manners.graceMs);
    });
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
    this.#closeLater(manners.graceMs);
  }

  cut(): void {
    this.#socket.destroy();
  }

  #closeLater(delayMs: number): void {
    if (this.#answers.size > 0 || this.#isUpgraded || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // Half a request has arrived: wait for the rest. (The server's own limits end an incomplete one.)
      const isArriving = this.#socket.bytesRead > this.#bytesAtRest;
      if (isArriving) this.#closeLater(Math.max(delayMs, LOOK_AGAIN_MS));
      else this.#close();
    }, delayMs);
  }

  #close(): void {
    this.#isClosed = true;
    this.#socket.end();
    this.#timer = setTimeout(() => this.#socket.destroy(), LINGER_MS);
  }
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
