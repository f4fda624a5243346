// Signals on the engine's host calls: one descriptor delivers all watched signals.
import { SIGNALS, type SignalName, type Signals } from "../signals.ts";
import { calls, checked } from "./calls.ts";
import { addWatch, READABLE, type Watch } from "./loop.ts";

const listeners = new Map<number, Set<() => void>>();
let watch: Watch | null = null;

const ready = (): void => {
  for (let number = calls.nextSignal(); number > 0; number = calls.nextSignal())
    for (const listener of [...(listeners.get(number) ?? [])]) listener();
};

const begin = (number: number): Set<() => void> => {
  const fd = checked(calls.watchSignal(number), "signalfd");
  if (watch === null) {
    watch = { fd, events: READABLE, holds: false, ready };
    addWatch(watch);
  }
  const added = new Set<() => void>();
  listeners.set(number, added);
  return added;
};

const on = (name: SignalName, listener: () => void): (() => void) => {
  const number = SIGNALS[name];
  const all = listeners.get(number) ?? begin(number);
  all.add(listener);
  return () => {
    if (!all.delete(listener) || all.size > 0) return;
    listeners.delete(number);
    calls.leaveSignal(number);
  };
};

export const engineSignals: Signals = { on };
