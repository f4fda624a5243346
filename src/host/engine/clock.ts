// Time and random numbers on the engine's host calls.
import type { Clock, Timer } from "../clock.ts";
import { calls, checked } from "./calls.ts";
import { addTimer, removeTimer } from "./loop.ts";

const started = (ms: number, everyMs: number | null, act: () => void): Timer => {
  const timer = addTimer(ms, everyMs, act);
  return {
    cancel: () => removeTimer(timer),
    release: () => {
      timer.holds = false;
    },
  };
};

export const engineClock: Clock = {
  wallNow: () => Math.floor(calls.wallNow()),
  monotonicNow: () => calls.monotonicNow(),
  after: (ms, act) => started(ms, null, act),
  // An interval of 0 would be due in every turn and block everything else.
  every: (ms, act) => started(ms, Math.max(1, ms), act),
  random: (bytes) => {
    checked(calls.random(bytes), "getrandom");
  },
};
