// The system as crank's TypeScript sees it: one interface with two implementations, on the engine that is linked into
// the program (engine/), and a thin one on Node and Bun for development and unit tests (node/). `#host` is the one that
// fits (package.json, "imports").
import type { Clock } from "./clock.ts";
import type { Fields } from "./fields.ts";
import type { Files } from "./files.ts";
import type { Processes } from "./processes.ts";
import type { Signals } from "./signals.ts";
import type { Streams } from "./streams.ts";
import type { Terminal } from "./terminal.ts";

export type Host = {
  readonly clock: Clock;
  readonly fields: Fields;
  readonly files: Files;
  readonly processes: Processes;
  readonly signals: Signals;
  readonly streams: Streams;
  readonly terminal: Terminal;
};
