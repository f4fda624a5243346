// Bounds of settings and parameters: sizes that the kernel sets (execve(2), path_resolution(7)), and counts that no
// service comes near.

export const BOUNDS = {
  instances: 1000,
  argumentBytes: 131_071,
  commandWords: 16_384,
  pathBytes: 4095,
  environmentNames: 1000,
  environmentNameBytes: 1024,
  /** The largest pid there can be (proc_pid_max(5)). */
  pid: 4_194_304,
  /** About 31 years, in ms. */
  durationMs: 1e12,
  stopSteps: 32,
  retries: 1000,
  /** A tebibyte. */
  memoryBytes: 2 ** 40,
  /** An hour. */
  probeMs: 3_600_000,
  probeThreshold: 1000,
  /** As many as a worker can be started with, beside its sockets. */
  fdStore: 1024,
  logLines: 10_000,
  limits: 16,
  signalBytes: 32,
} as const;
