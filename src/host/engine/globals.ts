// The globals that code expects of any runtime, in the part that crank uses. They are there before any other module is
// evaluated: program.ts imports this first.
import { addTimer, type LoopTimer, removeTimer, soon } from "./loop.ts";
import { EngineTextDecoder, EngineTextEncoder } from "./text.ts";

type Handle = LoopTimer & { unref(): Handle; ref(): Handle };

const handleOf = (timer: LoopTimer): Handle => {
  const handle: Handle = Object.assign(timer, {
    unref: () => {
      timer.holds = false;
      return handle;
    },
    ref: () => {
      timer.holds = true;
      return handle;
    },
  });
  return handle;
};

const GLOBALS = {
  TextEncoder: EngineTextEncoder,
  TextDecoder: EngineTextDecoder,
  setTimeout: (act: (...values: readonly unknown[]) => void, ms = 0, ...values: readonly unknown[]): Handle =>
    handleOf(addTimer(Math.max(1, ms), null, () => act(...values))),
  setInterval: (act: () => void, ms = 0): Handle => handleOf(addTimer(Math.max(1, ms), Math.max(1, ms), act)),
  clearTimeout: (timer: LoopTimer | null | undefined): void => {
    if (timer) removeTimer(timer);
  },
  clearInterval: (timer: LoopTimer | null | undefined): void => {
    if (timer) removeTimer(timer);
  },
  queueMicrotask: (act: () => void): void => {
    Promise.resolve()
      .then(act)
      .catch((error: unknown) =>
        soon(() => {
          throw error;
        }),
      );
  },
};

Object.assign(globalThis, GLOBALS);
// Its numbers would be the same in every process.
Reflect.deleteProperty(Math, "random");
