// The event loop: timers, descriptors and deferred calls. Each turn handles one of them; then all jobs are run
// (engine/engine.c).
import { calls } from "./calls.ts";

export const READABLE = 1;
export const WRITABLE = 4;

export type Watch = {
  readonly fd: number;
  /** READABLE, WRITABLE, both, or 0: only errors and the end of the peer. */
  events: number;
  /** Called with the events that have occurred, POLLERR and POLLHUP included. */
  ready(events: number): void;
  /** Whether it keeps the process alive. */
  readonly holds: boolean;
};

export type LoopTimer = { at: number; act: (() => void) | null; readonly everyMs: number | null; holds: boolean };

type Ready = { readonly watch: Watch; readonly events: number };

/** There is nothing left to wait for. */
const NOTHING_LEFT = 0;
const GO_ON = -1;

/** Sorted by time, then by the order in which they were set. */
const timers: LoopTimer[] = [];
const watches = new Set<Watch>();
const putOff: (() => void)[] = [];
const ready: Ready[] = [];
/** The watches that are in `pairs`; null: they have changed. */
let polled: readonly Watch[] | null = null;
/** Pairs of descriptor and events for poll(2). */
let pairs = new Int32Array(32);
let pairBytes = new Uint8Array(pairs.buffer);

export const addTimer = (ms: number, everyMs: number | null, act: () => void): LoopTimer => {
  const timer: LoopTimer = { at: calls.monotonicNow() + ms, act, everyMs, holds: true };
  insert(timer);
  return timer;
};

export const removeTimer = (timer: LoopTimer): void => {
  timer.act = null;
  const place = timers.indexOf(timer);
  if (place >= 0) timers.splice(place, 1);
};

const insert = (timer: LoopTimer): void => {
  let place = timers.length;
  while (place > 0 && (timers[place - 1]?.at ?? 0) > timer.at) place--;
  timers.splice(place, 0, timer);
};

export const addWatch = (watch: Watch): void => {
  watches.add(watch);
  polled = null;
};

export const removeWatch = (watch: Watch): void => {
  watches.delete(watch);
  polled = null;
};

/** Calls `act` in a turn of its own, right after the present one. */
export const soon = (act: () => void): void => {
  putOff.push(act);
};

/** Runs one turn. Returns a negative number to be called again, or the exit status. */
export const turn = (): number => {
  if (handleOne()) return GO_ON;
  if (!mustStay()) return NOTHING_LEFT;
  wait();
  handleOne();
  return GO_ON;
};

/** Returns false if there was nothing to handle. */
const handleOne = (): boolean => handlePutOff() || handleReady() || handleTimer();

const handlePutOff = (): boolean => {
  const act = putOff.shift();
  if (act === undefined) return false;
  act();
  return true;
};

/** A descriptor that became ready in the last wait and is still watched. */
const handleReady = (): boolean => {
  for (let next = ready.shift(); next !== undefined; next = ready.shift()) {
    if (!watches.has(next.watch)) continue;
    next.watch.ready(next.events);
    return true;
  }
  return false;
};

const handleTimer = (): boolean => {
  const [timer] = timers;
  if (timer === undefined || timer.at > calls.monotonicNow()) return false;
  timers.shift();
  const { act } = timer;
  if (timer.everyMs !== null) {
    timer.at = calls.monotonicNow() + timer.everyMs;
    insert(timer);
  }
  if (act === null) return false;
  act();
  return true;
};

const mustStay = (): boolean => {
  for (const watch of watches) if (watch.holds) return true;
  return timers.some((timer) => timer.holds);
};

const wait = (): void => {
  polled ??= takeWatches();
  for (let index = 0; index < polled.length; index++) pairs[2 * index + 1] = polled[index]?.events ?? 0;
  const [timer] = timers;
  const ms = timer === undefined ? -1 : Math.max(0, timer.at - calls.monotonicNow());
  if (calls.poll(pairBytes, polled.length, ms) <= 0) return;
  for (let index = 0; index < polled.length; index++) {
    const watch = polled[index];
    const events = pairs[2 * index + 1] ?? 0;
    if (watch !== undefined && events !== 0) ready.push({ watch, events });
  }
};

const takeWatches = (): readonly Watch[] => {
  const all = [...watches];
  if (pairs.length < 2 * all.length) {
    pairs = new Int32Array(4 * all.length);
    pairBytes = new Uint8Array(pairs.buffer);
  }
  for (const [index, watch] of all.entries()) pairs[2 * index] = watch.fd;
  return all;
};
