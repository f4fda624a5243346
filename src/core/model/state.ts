// The supervisor's whole state: service, generations, workers, requests. Immutable; `step` makes the next one. All of it is
// plain JSON but `workers`, which follows from a list of them (workers.ts).
import { numberAfter } from "./history.ts";
import type { GoodSpec, Spec, StopStep } from "./spec.ts";
import type { Failure, GenerationNumber, WorkerId } from "./worker.ts";
import { NO_WORKERS, type Workers } from "./workers.ts";

/** The supervisor's own number for a request that waits for an answer. */
export type RequestId = number;

/** A spec put into effect. `instances` is the wanted number now (scale changes it, the spec stays). */
export type Generation = {
  readonly number: GenerationNumber;
  readonly spec: Spec;
  readonly instances: number;
  /** Places whose last worker failed and whose next is not started yet: which attempt that was. */
  readonly retrying: readonly number[];
  /** CLOCK_MONOTONIC and wall clock, ms. */
  readonly createdAt: number;
  readonly createdAtWall: number;
};

/**
 * A rollout that has failed. The way back is a rollout towards the current generation; it is over when the answer is
 * given, no worker of another generation is left unstopped, and the current one's missing workers are started.
 */
export type RollingBack = {
  readonly failure: Failure;
  /** The worker whose failure it was, null for none. The answer waits until it is gone: only then its last lines are known. */
  readonly worker: WorkerId | null;
  readonly pid: number | null;
  /** The answer has been given. */
  readonly told: boolean;
};

/** `oneByOne`: within the spec's surge. `fleet`: all new workers at once, and the old ones go when all of the new are available. */
export type RolloutOrder = "oneByOne" | "fleet";

/** The rollout in flight. */
export type Rollout = {
  readonly generation: GenerationNumber;
  readonly startedAt: number;
  /** CLOCK_MONOTONIC ms, null for none. */
  readonly deadlineAt: number | null;
  readonly attemptsLeft: number;
  /** Who asked, and gets the answer; empty when crank itself did (at its start, on SIGHUP). */
  readonly requests: readonly RequestId[];
  /** `crank`: its own wish. If that fails with nothing before it, crank ends; a request that fails leaves it waiting for another. */
  readonly origin: "crank" | "request";
  readonly order: RolloutOrder;
  /** null while it goes forward. */
  readonly rollingBack: RollingBack | null;
  /** Missing: for nothing but its workers. */
  readonly waiting?: Waiting;
};

/** What a rollout waits for before its next replacement: until a time (CLOCK_MONOTONIC ms), or for a place among `limit` that drain. */
export type Waiting =
  | { readonly kind: "pause"; readonly until: number }
  | { readonly kind: "draining"; readonly limit: number };

/** How workers that die between rollouts are started again. `pools`: only while more than one worker is wanted. */
export type Respawn = { readonly baseMs: number; readonly pools?: true };

export type Phase =
  | { readonly kind: "running" }
  /** Going down: no starts any more. `requests` are answered when the last worker is gone; then it has `ended`. */
  | {
      readonly kind: "stopping";
      readonly status: number;
      readonly requests: readonly RequestId[];
      readonly ended: boolean;
      /** Taken by every worker in place of its spec's stop steps; null: those of the spec. */
      readonly steps: readonly StopStep[] | null;
    };

/** What differs from program to program in how a service is kept. */
export type Policy = {
  /** What crank ends with after a failure of its workers. */
  readonly failureStatus: number;
  /** Whether a rollout that has failed starts what is missing of the generation before it; else workers of both make up the number. */
  readonly restores: boolean;
  /**
   * Whose the attempts of `spec.retries` are: the whole rollout's, or each worker's, in rollouts and between them (slot-retries.ts).
   * `endless`: a worker that failed is followed by another one, however often, later and later (backoff.ts).
   */
  readonly attempts: "rollout" | "place" | "endless";
  /** How a worker that did not get ready in time is ended; null: by SIGKILL, at once. */
  readonly failSteps: readonly StopStep[] | null;
  /** What crank does, where workers are respawned, when none is wanted and none is left. */
  readonly whenEmpty: "stay" | "end";
  /** How fast workers are started; null: all that there is room for at once. */
  readonly pace: Pace | null;
};

/** One start after the other, each so long after the last one as `respawn` says, while fewer than `maxUnready` are not ready yet. */
export type Pace = { readonly maxUnready: number };

/** crank's own; other programs differ. */
export const CRANK_POLICY: Policy = {
  failureStatus: 1,
  restores: true,
  attempts: "rollout",
  failSteps: null,
  whenEmpty: "stay",
  pace: null,
};

/** A reload that waits for the rollout in flight to end. `at` and `wallAt`: when it was asked for, CLOCK_MONOTONIC and wall clock, ms. */
export type QueuedReload = { readonly at: number; readonly wallAt: number };

/** A record that is wanted on disk, and who is answered after it. */
export type PendingRecord = { readonly generation: GenerationNumber; readonly requests: readonly RequestId[] };

/** The record on disk is not what the history says. `nextAt`: when it is tried again, CLOCK_MONOTONIC ms; null: it is being written. */
export type Unrecorded = { readonly pauseMs: number; readonly nextAt: number | null };

export type Service = {
  readonly phase: Phase;
  /** null: crank exits when the last worker is gone. Whether it counts for a generation: `respawns` (backoff.ts). */
  readonly respawn: Respawn | null;
  readonly nextWorker: WorkerId;
  readonly nextProbe: number;
  readonly nextGeneration: GenerationNumber;
  readonly current: GenerationNumber | null;
  readonly rollout: Rollout | null;
  /** However many were asked for meanwhile, one more is enough. */
  readonly queuedReload: QueuedReload | null;
  /** Set between a completed rollout and `recorded`. */
  readonly pendingRecord: PendingRecord | null;
  /** Set when the record could not be written, until it is. Missing from an earlier crank. */
  readonly unrecorded?: Unrecorded | null;
  /** Deaths before available in a row, between rollouts; and the earliest next start, CLOCK_MONOTONIC ms. */
  readonly deaths: number;
  readonly nextStartAt: number;
  /** Places of workers that were evicted and whose successors are not started yet. */
  readonly owed: number;
  /** By index: whose place was lost by a worker and not taken by another yet (restart-counts.ts); missing: nobody's. */
  readonly losses?: Readonly<Record<number, { readonly generation: GenerationNumber; readonly restarts: number }>>;
  /** After a replacement: when the next one may begin; and when the memory was looked at last. CLOCK_MONOTONIC ms. */
  readonly pausedUntil: number | null;
  readonly measuredAt: number;
  /** Workers that were started again since crank started, for people. */
  readonly restarts: number;
  /** Whether the last thing that ended unasked, a worker or a rollout, was a failure: decides the exit status. */
  readonly lastOutcome: "clean" | "failed";
  readonly manner: Policy;
};

export type State = {
  readonly service: Service;
  readonly generations: Readonly<Record<GenerationNumber, Generation>>;
  readonly workers: Workers;
  /** The last good specs, newest last, at most HISTORY_LENGTH. */
  readonly history: readonly GoodSpec[];
};

/** The state before anything has happened, with the good specs of the record. */
export const initialState = (options: {
  readonly respawn: Respawn | null;
  readonly history: readonly GoodSpec[];
  /** At least; it follows on those of the history. */
  readonly nextGeneration?: GenerationNumber;
  readonly manner?: Policy;
}): State => ({
  service: {
    phase: { kind: "running" },
    respawn: options.respawn,
    nextWorker: 1,
    nextProbe: 1,
    nextGeneration: Math.max(options.nextGeneration ?? 1, numberAfter(options.history)),
    current: null,
    rollout: null,
    queuedReload: null,
    pendingRecord: null,
    deaths: 0,
    nextStartAt: 0,
    owed: 0,
    pausedUntil: null,
    measuredAt: 0,
    restarts: 0,
    lastOutcome: "clean",
    manner: options.manner ?? CRANK_POLICY,
  },
  generations: {},
  workers: NO_WORKERS,
  history: options.history,
});
