// The request to stop: a signal, and the time until the worker is killed.
import process from "node:process";
import { workerEnvironment } from "./environment.ts";

/** The stop signals of crank, einhorn and a terminal. */
const STOP_SIGNALS = ["SIGTERM", "SIGUSR2", "SIGINT"] as const;

export type StopSignal = (typeof STOP_SIGNALS)[number];

export type Stop = {
  readonly signal: StopSignal;
  /** Time from the signal until the worker is killed, ms. Null: unknown. */
  readonly budgetMs: number | null;
};

export type StopHandler = (stop: Stop) => unknown;

const handlers: StopHandler[] = [];
let signalledAt: number | null = null;

/** When the stop signal came, in the time of performance.now(); null before. */
export const stopSignalledAt = (): number | null => signalledAt;

/**
 * Calls `handler` once on a request to stop (SIGTERM, SIGUSR2 or SIGINT). When all handlers' promises are fulfilled, the process
 * exits with 0; if one throws or rejects, that is printed and it exits with 1. The same signal
 * again is ignored, except SIGINT; another one of the three ends the process as if there were no handler.
 */
export const onStop = (handler: StopHandler): void => {
  handlers.push(handler);
  if (handlers.length > 1) return;
  workerEnvironment();
  for (const signal of STOP_SIGNALS) process.on(signal, listeners[signal]);
};

const stop = (signal: StopSignal): void => {
  if (signalledAt !== null) return;
  signalledAt = performance.now();
  for (const other of STOP_SIGNALS) if (other !== signal || other === "SIGINT") process.off(other, listeners[other]);
  void endAfter({ signal, budgetMs: workerEnvironment().stopBudgetMs });
};

const listeners: Readonly<Record<StopSignal, () => void>> = {
  SIGTERM: () => stop("SIGTERM"),
  SIGUSR2: () => stop("SIGUSR2"),
  SIGINT: () => stop("SIGINT"),
};

/** Whether the application listens to this signal itself. */
export const hasOtherListeners = (signal: StopSignal): boolean =>
  process.listeners(signal).some((listener) => listener !== listeners[signal]);

export const isStopSignal = (event: unknown): event is StopSignal => STOP_SIGNALS.some((signal) => signal === event);

/** Begins the stop as this signal does, without the application's own listeners to it. */
export const requestStop = (signal: StopSignal): void => listeners[signal]();

const endAfter = async (told: Stop): Promise<void> => {
  const results = await Promise.allSettled(handlers.map(async (handler) => handler(told)));
  const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  for (const failure of failures) console.error(failure);
  process.exit(failures.length > 0 ? 1 : undefined);
};
