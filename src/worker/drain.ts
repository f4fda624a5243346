// Drains a server slowly: it stops accepting, finishes its requests, and asks the remaining clients to leave one after the
// other, so that they do not all reconnect at the same moment.
import type { Server, Socket } from "node:net";
import { Asking } from "./asking.ts";
import type { Client } from "./clients.ts";
import { workerEnvironment } from "./environment.ts";
import { notify } from "./notify.ts";
import { stopSignalledAt } from "./stop.ts";
import { type WatchedServer, watchedServer } from "./watch.ts";
import { WebSocketClients, type WebSocketServerLike } from "./websockets.ts";

export type DrainOptions = {
  /** The time over which clients are asked to leave, ms. Default 0: all at once. */
  readonly spreadMs?: number;
  /** How long a client that was asked may take to leave, ms. Default 5,000. */
  readonly graceMs?: number;
  /** What WebSockets are closed with: 1001 (going away, the default) or 1012 (service restart). */
  readonly closeCode?: number;
  /** The reason that is sent with the code. */
  readonly reason?: string;
  /** Asks a connection with the application's own protocol to leave. Without it, such clients stay until they leave by themselves. */
  readonly tell?: (socket: Socket) => void;
  /** When clients that are left are cut off, ms from now. Default: a little before crank's stop timeout; never without it. */
  readonly budgetMs?: number;
};

/** How many clients there were, and how many of them had to be cut off. */
export type Drained = { readonly clients: number; readonly cut: number };

const GRACE_MS = 5_000;
const GOING_AWAY = 1001;
/** The part of crank's stop timeout that is reserved for the time after the drain: a tenth, and at most this. */
const EXIT_MS = 1_000;
/** How long connections that were cut off may take to be closed. */
const CUT_MS = 500;
const STATUS_EVERY_MS = 5_000;

/**
 * Drains servers: they stop accepting, finish their requests, and ask the remaining clients to leave, evenly over `spreadMs`:
 * `Connection: close` with the next answer (HTTP/1), GOAWAY (HTTP/2), a close frame (WebSockets). Resolves when all have
 * left. Crank's stop timeout limits it: the spread is shortened to fit, and clients that are left at the end are disconnected.
 *
 * Servers must be tracked by `listen` or `watch`; this throws for others. A server of `ws` includes the HTTP server that it
 * was made with.
 */
export const drain = async (
  what: Server | WebSocketServerLike | readonly (Server | WebSocketServerLike)[],
  options: DrainOptions = {},
): Promise<Drained> => {
  const { servers, webSocketServers } = sortOut([what].flat());
  const limitMs = limitOf(options);
  const graceMs = Math.min(options.graceMs ?? GRACE_MS, limitMs / 2);
  const spreadMs = Math.min(options.spreadMs ?? 0, limitMs - graceMs);

  const webSockets = new WebSocketClients(webSocketServers);
  const gone = Promise.all([...servers.map((server) => server.close()), webSockets.gone()]).then((): true => true);
  // Upgraded connections are asked as WebSockets, if a WebSocket server is given.
  const areWebSockets = webSocketServers.length > 0;
  const others = (): Client[] =>
    servers.flatMap(({ clients, upgraded }) => [...clients, ...(areWebSockets ? [] : upgraded)]);
  const left = (): number => others().length + webSockets.clients.size;

  const { closeCode = GOING_AWAY, reason = "", tell } = options;
  const asking = new Asking([...others(), ...webSockets.first], { graceMs, closeCode, reason, tell }, spreadMs);
  for (const watched of [...servers, webSockets]) watched.onClient = (client) => asking.add(client);

  const progress = new Progress(left);
  const areGone = await within(gone, limitMs);
  asking.stop();
  progress.stop();
  const cut = areGone ? 0 : left();
  if (!areGone) {
    for (const client of servers.flatMap(({ clients, upgraded }) => [...clients, ...upgraded])) client.cut();
    for (const client of webSockets.clients) client.cut();
    await within(gone, CUT_MS);
  }
  return { clients: asking.count, cut };
};

type Drainable = Server | WebSocketServerLike;
type Sorted = { readonly servers: readonly WatchedServer[]; readonly webSocketServers: readonly WebSocketServerLike[] };

const sortOut = (all: readonly Drainable[]): Sorted => {
  const servers = new Set<Server>();
  const webSocketServers: WebSocketServerLike[] = [];
  for (const one of all) {
    if (!("clients" in one)) servers.add(one);
    else if (one.options?.server) servers.add(one.options.server);
    if ("clients" in one) webSocketServers.push(one);
  }
  return { servers: [...servers].map(watchedServer), webSocketServers };
};

/** How long this may take, ms. */
const limitOf = ({ budgetMs }: DrainOptions): number => {
  if (budgetMs !== undefined) return budgetMs;
  const { stopBudgetMs } = workerEnvironment();
  if (stopBudgetMs === null) return Number.POSITIVE_INFINITY;
  const passed = performance.now() - (stopSignalledAt() ?? performance.now());
  return Math.max(0, stopBudgetMs - Math.min(EXIT_MS, stopBudgetMs / 10) - passed);
};

/** Whether `done` happened within this time. */
const within = async (done: Promise<true>, limitMs: number): Promise<boolean> => {
  if (limitMs === Number.POSITIVE_INFINITY) return done;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  const isDone = await Promise.race([done, late]);
  clearTimeout(timer);
  return isDone;
};

/** Reports to crank how many clients are left: at the start, and from time to time if it has changed. */
class Progress {
  readonly #timer: ReturnType<typeof setInterval>;
  #told = -1;

  constructor(left: () => number) {
    const tell = (): void => {
      const count = left();
      if (count !== this.#told) tellIfPossible(`STATUS=draining: ${count} clients left`);
      this.#told = count;
    };
    tellIfPossible("STOPPING=1");
    tell();
    this.#timer = setInterval(tell, STATUS_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** A drain does not fail because crank cannot be notified. */
const tellIfPossible = (assignments: string): void => {
  try {
    notify(assignments);
  } catch {}
};
