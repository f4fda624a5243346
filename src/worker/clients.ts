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

export interface Client {
  /** Asks it to go. Called once. */
  ask(manners: Manners): void;
  /** Ends the connection at once. */
  cut(): void;
}

/** A connection of a server that speaks something of its own. Nobody but the application knows how to ask. */
export const plainClient = (socket: Socket): Client => ({
  ask: ({ tell }) => tell?.(socket),
  cut: () => socket.destroy(),
});

/** The highest stream number there is: nothing that is under way is turned away (RFC 9113, 6.8). */
const NO_LAST_STREAM = 2 ** 31 - 1;
const NO_ERROR = 0;

/**
 * An HTTP/2 session. Asking has two steps, as RFC 9113 (6.8) wants it: a GOAWAY that refuses nothing yet, so that requests
 * that are on their way are served; and after the grace time the final one. Streams that are open then go on to their end.
 */
export const http2Client = (session: Http2Session): Client => ({
  ask: ({ graceMs }) => {
    if (session.closed || session.destroyed) return;
    session.goaway(NO_ERROR, NO_LAST_STREAM);
    const timer = setTimeout(() => session.close(), graceMs);
    session.once("close", () => clearTimeout(timer));
  },
  cut: () => session.destroy(),
});
