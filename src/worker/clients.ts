// One client's connection as a drain sees it: it can be asked to go, in its protocol's way, and it can be cut off.
import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";

/** What the drain has to say about how clients go. */
export type Manners = {
  /** How long a client that has been asked may take to act on it, ms. */
  readonly graceMs: number;
  /** The code and reason that WebSockets are closed with. */
  readonly closeCode: number;
  readonly reason: string;
  /** Tells a plain connection to go, in the application's own words. */
  readonly tell: ((socket: Socket) => void) | undefined;
};

/** One client, whatever it speaks. */
export interface Client {
  /** Asks it to go. Called once. */
  ask(manners: Manners): void;
  /** Ends the connection at once. */
  cut(): void;
}

/** A connection with a protocol of the application's own. Only the application can ask it to leave. */
export const plainClient = (socket: Socket): Client => ({
  ask: ({ tell }) => tell?.(socket),
  cut: () => socket.destroy(),
});

/**
 * An HTTP/2 session. It gets a GOAWAY with the last request that has arrived: those are answered, and a client knows that
 * whatever it has sent since has not been looked at, and sends it again elsewhere (RFC 9113, 6.8). The first step that the
 * RFC recommends, a GOAWAY that refuses nothing yet, cannot be had: after any, the runtimes' HTTP/2 ignores new requests.
 */
export const http2Client = (session: Http2Session): Client => ({
  ask: () => session.close(),
  cut: () => session.destroy(),
});
