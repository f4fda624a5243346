// The host on Node or Bun: for development and unit tests.
import { isatty } from "node:tty";
import type { Clock, Timer } from "../clock.ts";
import type { Host } from "../host.ts";
import type { Signals } from "../signals.ts";
import type { Terminal } from "../terminal.ts";
import { asHost } from "./errors.ts";
import { nodeFiles } from "./files.ts";
import { nodeProcesses } from "./processes.ts";
import { nodeStreams } from "./streams.ts";

const timerOf = (timer: NodeJS.Timeout): Timer => ({
  cancel: () => clearTimeout(timer),
  release: () => {
    timer.unref();
  },
});

const nodeClock: Clock = {
  wallNow: Date.now,
  // Not performance.now(), which counts from the start of the process.
  monotonicNow: () => Number(process.hrtime.bigint()) / 1e6,
  after: (ms, act) => timerOf(setTimeout(act, ms)),
  every: (ms, act) => timerOf(setInterval(act, ms)),
  random: (bytes) => {
    crypto.getRandomValues(bytes);
  },
};

const nodeSignals: Signals = {
  on: (name, listener) => {
    const call = (): void => listener();
    process.on(name, call);
    return () => {
      process.off(name, call);
    };
  },
};

const nodeTerminal: Terminal = {
  isTerminal: (fd) => isatty(fd),
  size: (fd) => {
    const stream = fd === 2 ? process.stderr : process.stdout;
    if (!stream.isTTY) return null;
    const [columns, rows] = stream.getWindowSize();
    return { columns, rows };
  },
  setRaw: (isRaw) => {
    asHost("tcsetattr", undefined, () => process.stdin.setRawMode(isRaw === "raw"));
  },
  undoScreen: () => {},
  read: ({ typed, ended }) => {
    const stop = (): void => {
      process.stdin.off("data", typed).off("end", ended).off("error", ended);
      process.stdin.pause();
    };
    process.stdin.setEncoding("utf8").on("data", typed).on("end", ended).on("error", ended);
    return stop;
  },
};

export const host: Host = {
  clock: nodeClock,
  // Not implemented: so the tests run crank's own code for it.
  fields: { pack: () => -1, unpack: () => -1 },
  files: nodeFiles,
  processes: nodeProcesses,
  signals: nodeSignals,
  streams: nodeStreams,
  terminal: nodeTerminal,
};
