// What a bundle on the engine begins with; to be imported before anything else of it.
import "./globals.ts";
import { calls } from "./calls.ts";
import { turn } from "./loop.ts";
import { uncaught } from "./uncaught.ts";

/** Makes `main` what the program does when it is started. To be called once, while the image is built. */
export const programOf = (main: () => void): void => {
  calls.setHooks(main, turn, uncaught);
  // Only the host's own modules call it.
  Reflect.deleteProperty(globalThis, "hostCalls");
};
