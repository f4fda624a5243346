// One client's connection as a drain sees it: it can be asked to leave, by its protocol, and it can be cut off.
import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";

/** The drain's settings for clients. */
export type Manners = {
  /** How long a client that was asked may take to leave, ms. */
  readonly graceMs: number;
  /** The code and reason that WebSockets are closed with. */
  readonly closeCode: number;
  readonly reason: string;
  /** Asks a plain connection to leave, in the application's protocol. */
  readonly tell: ((socket: Socket) => void) | undefined;
};

/** One client, with any protocol. */
export interface Client {
  /** Asks it to leave. Called once. */
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
 * An HTTP/2 session. It gets a GOAWAY with the last request that has arrived: these are answered. The client knows that later
 * requests were not processed, and sends them again on another connection (RFC 9113, 6.8). The first step that the RFC
 * recommends, a GOAWAY that refuses nothing yet, is impossible: after any GOAWAY, the runtimes' HTTP/2 ignores new requests.
 */
export const http2Client = (session: Http2Session): Client => ({
  ask: () => session.close(),
  cut: () => session.destroy(),
});
