// When signals were sent, by the kernel's trace (tracefs, event signal:signal_generate): exact to the microsecond, and
// independent of when the receiver runs.
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const INSTANCES = "/sys/kernel/tracing/instances";
const NS_PER_US = 1000;

export type SentSignals = {
  /** When each was sent, in order: CLOCK_MONOTONIC ns. */
  moments(): number[];
  /** Ends the trace. */
  end(): void;
};

/** Begins to trace the signals of this number that are sent to programs of this name. Null if the kernel does not permit it. */
export const traceSignals = (program: string, signal: number): SentSignals | null => {
  const trace = join(INSTANCES, `crank-bench-${process.pid}`);
  const event = join(trace, "events/signal/signal_generate");
  const end = (): void => {
    writeFileSync(join(event, "enable"), "0");
    rmdirSync(trace);
  };
  try {
    mkdirSync(trace);
    writeFileSync(join(trace, "trace_clock"), "mono");
    writeFileSync(join(event, "filter"), `sig == ${signal} && comm == "${program}"`);
    writeFileSync(join(event, "enable"), "1");
  } catch {
    return null;
  }
  const moments = (): number[] =>
    [...readFileSync(join(trace, "trace"), "utf8").matchAll(/ (\d+)\.(\d{6}): signal_generate:/g)]
      .map(([, seconds, micros]) => (Number(seconds) * 1e6 + Number(micros)) * NS_PER_US)
      .sort((a, b) => a - b);
  return { moments, end };
};
