// The drain of an unchanged application: begins with the stop signal, and agrees with what the application does at that signal
// itself.
import cluster from "node:cluster";
import type { Server, Socket } from "node:net";
import { constants } from "node:os";
import process from "node:process";
import { drain } from "../drain.ts";
import { hasOtherListeners, isStopSignal, onStop, requestStop, type StopSignal, stopSignalledAt } from "../stop.ts";
import { isWebSocket, watch } from "../watch.ts";
import type { RegisterSettings } from "./settings.ts";
import { closeWebSocket } from "./websocket-close.ts";

/** The part of the stop timeout that is the application's own: a fifth, and at most this. */
const OWN_PART = 5;
const OWN_MS = 5_000;
/** How long before its end the process exits if the application does not: a twentieth, and at most this. */
const EXIT_PART = 20;
const EXIT_MS = 500;

/** Defaults of `drain` for the part that is done here. */
const WEB_SOCKETS = { closeCode: 1001, reason: "", graceMs: 5_000 };

/** The servers that took a socket of crank. */
export class RegisteredDrain {
  readonly #settings: RegisterSettings;
  readonly #servers = new Set<Server>();
  readonly #emit = process.emit;
  /** Resolves when all clients have left; null before the stop signal. */
  #drained: Promise<unknown> | null = null;
  #isDrained = false;
  #signal: StopSignal | null = null;
  /** Whether the application's listeners were held back: not on Bun, which calls them without process.emit(). */
  #isHeldBack = false;

  constructor(settings: RegisterSettings) {
    this.#settings = settings;
    // The runtime emits a signal by the function that it finds when the first listener is added, which onStop does.
    if (settings.ownHandlers === "after the drain") this.#holdBackSignals();
    // Before any listener of the application, so that its close() finds the drain begun.
    onStop(({ signal, budgetMs }) => this.#stop(signal, budgetMs));
  }

  add(server: Server): void {
    watch(server);
    this.#servers.add(server);
    server.once("close", () => this.#servers.delete(server));
    const close = server.close.bind(server);
    server.close = (callback) => {
      if (this.#drained === null) return close(callback);
      void this.#drained.then(() => callback && setImmediate(callback));
      return server;
    };
  }

  /**
   * The application's listeners to the stop signal are called when the drain has ended: many exit at once, or answer requests
   * with 503 from then on.
   */
  #holdBackSignals(): void {
    const emit = this.#emit;
    const held = (event: string | symbol, ...args: readonly unknown[]): boolean => {
      if (!isStopSignal(event) || this.#isDrained) return Reflect.apply(emit, process, [event, ...args]);
      if (stopSignalledAt() === null) {
        this.#isHeldBack = true;
        requestStop(event);
      }
      // Another signal than the first, or a second Ctrl-C, is urgent.
      else if (event !== this.#signal || event === "SIGINT") return Reflect.apply(emit, process, [event, ...args]);
      return true;
    };
    // It takes what emit() takes, and passes it on.
    process.emit = held as typeof emit;
  }

  async #stop(signal: StopSignal, budgetMs: number | null): Promise<void> {
    this.#signal = signal;
    const isOwnEnd = hasOtherListeners(signal);
    const servers = [...this.#servers];
    this.#drained = Promise.all([this.#drain(servers, isOwnEnd && this.#isHeldBack ? budgetMs : null), endCluster()]);
    const restore = servers.map(pretendToListen);
    await this.#drained;
    for (const undo of restore) undo();
    this.#isDrained = true;
    if (!isOwnEnd) return;
    // In a turn of its own: what a listener throws is the application's uncaught exception.
    if (this.#isHeldBack)
      setImmediate(() => Reflect.apply(this.#emit, process, [signal, signal, constants.signals[signal]]));
    await applicationsEnd(budgetMs);
  }

  #drain(servers: readonly Server[], sharedMs: number | null): Promise<unknown> {
    const settings = this.#settings.drain;
    const { graceMs, closeCode, reason } = { ...WEB_SOCKETS, ...settings };
    const tell = (socket: Socket): void => {
      if (isWebSocket(socket)) closeWebSocket(socket, { closeCode, reason, graceMs });
    };
    const budget = sharedMs === null ? {} : { budgetMs: sharedMs - Math.min(OWN_MS, sharedMs / OWN_PART) };
    return drain(servers, { ...settings, ...budget, tell });
  }
}

/**
 * Applications close a server only if it listens, and close idle connections by themselves, which breaks requests on their way.
 * Until the drain has ended, the server seems to listen, and the drain decides about idle connections.
 */
const pretendToListen = (server: Server): (() => void) => {
  const pretended = { listening: true, ...("closeIdleConnections" in server && { closeIdleConnections: () => {} }) };
  for (const [key, value] of Object.entries(pretended))
    Object.defineProperty(server, key, { value, configurable: true, writable: true });
  return () => {
    for (const key of Object.keys(pretended)) Reflect.deleteProperty(server, key);
  };
};

/** The workers of node:cluster have no sockets of their own: the primary process, which has crank's, ends them. */
const endCluster = async (): Promise<void> => {
  const workers = cluster.isPrimary ? Object.values(cluster.workers ?? {}) : [];
  if (workers.length === 0) return;
  const ended = workers.map((worker) => new Promise<void>((resolve) => worker?.once("exit", () => resolve())));
  cluster.disconnect();
  await Promise.all(ended);
};

/**
 * The application ends the process, explicitly or when nothing is left to do. Resolves shortly before crank would kill it;
 * without a stop timeout never.
 */
const applicationsEnd = (budgetMs: number | null): Promise<void> =>
  new Promise((resolve) => {
    if (budgetMs === null) return;
    const passedMs = performance.now() - (stopSignalledAt() ?? performance.now());
    const leftMs = budgetMs - Math.min(EXIT_MS, budgetMs / EXIT_PART) - passedMs;
    setTimeout(resolve, Math.max(0, leftMs)).unref();
  });
