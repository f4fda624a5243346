// Random behaviour of workers and random requests, good and bad.

import type { Liveness, Pacing, Readiness, Spec, StopStep } from "../../src/core/model/spec.ts";
import { emptySpec } from "../../src/spec/defaults.ts";
import type { Random } from "./random.ts";

/** The behaviour of one simulated process. Times in ms, from its start, from its readiness, or from the signal. */
export type Behaviour = {
  readonly spawnMs: number;
  readonly spawnFails: boolean;
  readonly start: "ready" | "crash" | "exit 0" | "hang";
  readonly startMs: number;
  readonly readyTwice: boolean;
  /** Exits unasked this long after it was ready. */
  readonly dieAfterMs: number | null;
  readonly dieWith: "exit 0" | "exit 1" | "SIGSEGV";
  readonly stopMs: number;
  /** What it sends on its notify socket, `wordsAfterMs` after it was ready; null: nothing. */
  readonly words: string | null;
  readonly wordsAfterMs: number;
  /** It does not send WATCHDOG=1. */
  readonly forgetsWatchdog: boolean;
  /** It ignores SIGTERM and the like. SIGKILL ends it, or an operator after some time. */
  readonly ignoresTerm: boolean;
  /** What its main process leaves, and how long that takes to end after a signal; `null`: only SIGKILL ends it. */
  readonly rest: { readonly count: number; readonly stopMs: number | null } | null;
};

/** How good a generation's program is. */
export type Quality = "good" | "flaky" | "broken";

export const randomQuality = (random: Random): Quality =>
  random.pick(["good", "good", "good", "good", "flaky", "flaky", "broken"]);

export const randomBehaviour = (random: Random, quality: Quality): Behaviour => ({
  spawnMs: random.chance(0.1) ? random.between(5, 400) : random.between(1, 4),
  spawnFails: random.chance({ good: 0, flaky: 0.05, broken: 0.2 }[quality]),
  start:
    quality === "good" || (quality === "flaky" && random.chance(0.7))
      ? "ready"
      : random.pick(["crash", "crash", "exit 0", "hang"]),
  startMs: random.chance(0.15) ? random.between(200, 3000) : random.between(1, 60),
  readyTwice: random.chance(0.1),
  dieAfterMs: quality !== "good" && random.chance(0.3) ? random.between(0, 2000) : null,
  dieWith: random.pick(["exit 0", "exit 1", "SIGSEGV"]),
  words: random.chance(0.3) ? random.pick(WORDS) : null,
  wordsAfterMs: random.between(0, 2000),
  forgetsWatchdog: random.chance(0.2),
  stopMs: random.chance(0.2) ? random.between(500, 6000) : random.between(0, 30),
  ignoresTerm: random.chance(0.1),
  rest: random.chance(0.2) ? { count: random.between(1, 3), stopMs: random.pick([5, 300, 5000, null]) } : null,
});

/** The behaviour of a world that has calmed down. */
export const calmBehaviour: Behaviour = {
  spawnMs: 2,
  spawnFails: false,
  start: "ready",
  startMs: 5,
  readyTwice: false,
  dieAfterMs: null,
  dieWith: "exit 0",
  words: null,
  wordsAfterMs: 0,
  forgetsWatchdog: false,
  stopMs: 5,
  ignoresTerm: false,
  rest: null,
};

const WORDS = [
  "STATUS=busy",
  "RELOADING=1\nSTATUS=anew",
  "STOPPING=1",
  "WATCHDOG=trigger",
  "EXTEND_TIMEOUT_USEC=3000000",
  "ERRNO=5\nBARRIER=1",
] as const;

const STOP_STEPS: readonly [readonly StopStep[], ...(readonly StopStep[])[]] = [
  [
    { signal: "SIGTERM", afterMs: 0 },
    { signal: "SIGKILL", afterMs: 1000 },
  ],
  [{ signal: "SIGTERM", afterMs: 0 }],
  [
    { signal: "SIGUSR2", afterMs: 0 },
    { signal: "SIGTERM", afterMs: 300 },
    { signal: "SIGKILL", afterMs: 600 },
  ],
  [
    { signal: "SIGTERM", afterMs: 0 },
    { signal: "SIGKILL", afterMs: 0 },
  ],
  [{ signal: "SIGKILL", afterMs: 0 }],
];

const probed = (random: Random): Extract<Readiness, { kind: "probe" }> => ({
  kind: "probe",
  check: { kind: "tcp" },
  address: null,
  intervalMs: random.pick([200, 2000]),
  timeoutMs: 1000,
  threshold: random.pick([1, 1, 3]),
});

const randomPacing = (random: Random): Partial<Pacing> => ({
  pauseMs: random.pick([0, 30, 700]),
  maxDraining: random.pick([null, 1, 2]),
  maxAgeMs: random.pick([null, 2000, 6000]),
  maxMemory: random.pick([null, 1000]),
  memoryIntervalMs: random.pick([500, 3000]),
});

export const randomSpec = (random: Random): Spec => {
  const surge = random.pick([1, 1, 1, 0, 2, 5]);
  const unavailable = random.pick([0, 0, 1, 2]);
  const stopSteps = random.pick(STOP_STEPS);
  const readiness = random.pick<Readiness>([
    { kind: "notify" },
    { kind: "notify" },
    { kind: "notify" },
    { kind: "delay", afterMs: random.pick([0, 20, 300]) },
    probed(random),
  ]);
  return {
    ...emptySpec({}),
    command: ["server"],
    cwd: "/",
    instances: random.chance(0.05) ? 0 : random.pick([1, 1, 2, 3, 4, 6]),
    surge,
    unavailable: surge === 0 ? Math.max(1, unavailable) : unavailable,
    readiness,
    liveness: random.pick<Liveness | null>([
      null,
      null,
      null,
      null,
      { kind: "watchdog", periodMs: 1000 },
      { ...probed(random), intervalMs: 5000 },
    ]),
    minReadyMs: random.pick([0, 0, 10, 400]),
    // Long enough for good answers in a row: a worker that can never become ready would be restarted for ever.
    startTimeoutMs: random.pick(readiness.kind === "probe" ? [null, 20_000] : [null, 50, 1000, 1000]),
    stopTimeoutMs: stopSteps.at(-1)?.afterMs ?? null,
    stopSteps,
    killMode: random.pick(["group", "process"]),
    retries: random.pick([0, 0, 1, 3]),
    rolloutDeadlineMs: random.pick([null, null, 500, 4000]),
    ...(random.chance(0.5) ? randomPacing(random) : {}),
  };
};
