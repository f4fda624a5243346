// The standard globals of a runtime, as far as crank uses them. program.ts imports this first, so they exist before any
// other module is evaluated.
import { soon } from "./loop.ts";
import { EngineTextDecoder, EngineTextEncoder } from "./text.ts";

const GLOBALS = {
  TextEncoder: EngineTextEncoder,
  TextDecoder: EngineTextDecoder,
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
// In a heap image it would give the same numbers in every process.
Reflect.deleteProperty(Math, "random");
