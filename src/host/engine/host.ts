// The host on the engine that is linked into the program.
import type { Host } from "../host.ts";
import { calls } from "./calls.ts";
import { engineClock } from "./clock.ts";
import { engineFiles } from "./files.ts";
import { engineProcesses } from "./processes.ts";
import { engineSignals } from "./signals.ts";
import { engineStreams } from "./streams.ts";
import { engineTerminal } from "./terminal.ts";

export const host: Host = {
  clock: engineClock,
  fields: { pack: calls.pack, unpack: calls.unpack },
  files: engineFiles,
  processes: engineProcesses,
  signals: engineSignals,
  streams: engineStreams,
  terminal: engineTerminal,
};
