// The entry of a bundle on the engine. It must be imported before everything else.
import "./globals.ts";
import { calls } from "./calls.ts";
import { turn } from "./loop.ts";
import { uncaught } from "./uncaught.ts";

/** Sets `main`, which the program calls with the name of its command. Called once, while the image is built. */
export const programOf = (main: (name: string) => void): void => {
  calls.setHooks(() => main(calls.processArguments()[1] ?? ""), turn, uncaught);
  // Only the host's modules may call it.
  Reflect.deleteProperty(globalThis, "hostCalls");
};
