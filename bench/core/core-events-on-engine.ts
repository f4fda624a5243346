// The program that `core.ts` links for the engine.
import { host } from "#host";
import { programOf } from "../../src/host/engine/program.ts";
import { measureEvents } from "./core-events.ts";

programOf(() => {
  const text = `${JSON.stringify(measureEvents(() => host.clock.monotonicNow()))}\n`;
  host.files.write(1, new TextEncoder().encode(text));
  host.processes.exit(0);
});
