// The globals that code expects of any runtime, in the part that crank uses. They are there before any other module is
// evaluated: program.ts imports this first.
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
// Its numbers would be the same in every process.
Reflect.deleteProperty(Math, "random");
