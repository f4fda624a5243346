// What a bundle on the engine begins with; to be imported before anything else of it.
import "./globals.ts";
import { calls } from "./calls.ts";
import { turn } from "./loop.ts";
import { uncaught } from "./uncaught.ts";

/** Makes `main` what the program does when it is started, with the name of a command. To be called once, while the image is built. */
export const programOf = (main: (name: string) => void): void => {
  calls.setHooks(() => main(calls.processArguments()[1] ?? ""), turn, uncaught);
  // Only the host's own modules call it.
  Reflect.deleteProperty(globalThis, "hostCalls");
};
