// The core's whole state: service, generations, workers, requests. Immutable; `step` makes the next one. All of it is
// plain JSON but `workers`, which is made from a list of workers (workers.ts).
import { numberAfter } from "./history.ts";
import type { GoodSpec, Spec, StopStep } from "./spec.ts";
import type { Failure, GenerationNumber, WorkerId } from "./worker.ts";
import { NO_WORKERS, type Workers } from "./workers.ts";

/** The supervisor's number for a request that waits for an answer. */
export type RequestId = number;

/** A deployed spec. `instances` is the wanted number now: a scale changes it but not the spec. */
export type Generation = {
  readonly number: GenerationNumber;
  readonly spec: Spec;
  readonly instances: number;
  /** Attempt numbers of slots whose last worker failed and whose next is not started yet. */
  readonly retrying: readonly number[];
  /** CLOCK_MONOTONIC and wall clock, ms. */
  readonly createdAt: number;
  readonly createdAtWall: number;
};

/**
 * A failed rollout. Its rollback is a rollout to the current generation. It ends when the answer is given, all workers
 * of other generations are stopping, and the missing workers of the current one are started.
 */
export type RollingBack = {
  readonly failure: Failure;
  /**
   * The worker that failed; null: none. The answer waits until it is gone, because only then its last output is known.
   */
  readonly worker: WorkerId | null;
  readonly pid: number | null;
  /** Whether the answer was given. */
  readonly told: boolean;
};

/**
 * `oneByOne`: within the spec's surge. `fleet`: all new workers start at once, and the old ones stop when all new ones
 * are available.
 */
export type RolloutOrder = "oneByOne" | "fleet";

/** The rollout in flight. */
export type Rollout = {
  readonly generation: GenerationNumber;
  readonly startedAt: number;
  /** CLOCK_MONOTONIC ms; null: none. */
  readonly deadlineAt: number | null;
  readonly attemptsLeft: number;
  /** Requests that get the answer; none if crank itself deploys (at its start, on SIGHUP). */
  readonly requests: readonly RequestId[];
  /**
   * `crank`: its own deploy. If that fails and nothing ran before, crank ends; after a failed request it waits for
   * another.
   */
  readonly origin: "crank" | "request";
  readonly order: RolloutOrder;
  /** null: not rolling back. */
  readonly rollingBack: RollingBack | null;
  /** Missing: it waits only for its workers. */
  readonly waiting?: Waiting;
};

/**
 * What a rollout waits for before its next replacement: a time (CLOCK_MONOTONIC ms), or the end of one of `limit`
 * drains.
 */
export type Waiting =
  | { readonly kind: "pause"; readonly until: number }
  | { readonly kind: "draining"; readonly limit: number };

/** How workers that exit between rollouts are restarted. `pools`: only while more than one worker is wanted. */
export type Respawn = { readonly baseMs: number; readonly pools?: true };

export type Phase =
  | { readonly kind: "running" }
  /** Shutting down: nothing is started. `requests` are answered when the last worker is gone; then `ended` is true. */
  | {
      readonly kind: "stopping";
      readonly status: number;
      readonly requests: readonly RequestId[];
      readonly ended: boolean;
      /** Stop steps for every worker instead of those of its spec; null: those of the spec. */
      readonly steps: readonly StopStep[] | null;
    };

/** Policy: what differs from program to program in how a service is kept. */
export type Policy = {
  /** Crank's exit status after a failure of its workers. */
  readonly failureStatus: number;
  /**
   * Whether a rollback starts missing workers of the previous generation. If not, workers of both make up the number.
   */
  readonly restores: boolean;
  /**
   * What `spec.retries` is for: the whole rollout, or each slot, in rollouts and between them (slot-retries.ts).
   * `endless`: a failed worker is always retried, with growing delays (backoff.ts).
   */
  readonly attempts: "rollout" | "place" | "endless";
  /** Stop steps for a failed worker; null: SIGKILL at once. */
  readonly failSteps: readonly StopStep[] | null;
  /** What crank does, with respawn, when no worker is wanted and none is left. */
  readonly whenEmpty: "stay" | "end";
  /** How fast workers are started; null: at once, as many as there is room for. */
  readonly pace: Pace | null;
};

/**
 * Starts follow one another with the delay of `respawn`, while fewer than `maxUnready` workers are not available yet.
 */
export type Pace = { readonly maxUnready: number };

/** Crank's own policy; other programs have others. */
export const CRANK_POLICY: Policy = {
  failureStatus: 1,
  restores: true,
  attempts: "rollout",
  failSteps: null,
  whenEmpty: "stay",
  pace: null,
};

/**
 * A reload that waits for the rollout in flight to end. `at`, `wallAt`: when it was requested, CLOCK_MONOTONIC and wall
 * clock, ms.
 */
export type QueuedReload = { readonly at: number; readonly wallAt: number };

/** A record to be written, and the requests that are answered after it. */
export type PendingRecord = { readonly generation: GenerationNumber; readonly requests: readonly RequestId[] };

/**
 * The record on disk is older than the history. `nextAt`: when the write is retried, CLOCK_MONOTONIC ms; null: it is
 * being written.
 */
export type Unrecorded = { readonly pauseMs: number; readonly nextAt: number | null };

export type Service = {
  readonly phase: Phase;
  /**
   * null: crank exits when the last worker is gone. `respawns` (backoff.ts) says whether it applies to a generation.
   */
  readonly respawn: Respawn | null;
  readonly nextWorker: WorkerId;
  readonly nextProbe: number;
  readonly nextGeneration: GenerationNumber;
  readonly current: GenerationNumber | null;
  readonly rollout: Rollout | null;
  /** At most one, however many were requested. */
  readonly queuedReload: QueuedReload | null;
  /** Set between a completed rollout and `recorded`. */
  readonly pendingRecord: PendingRecord | null;
  /** Set when the record could not be written, until it is. Missing from an earlier crank. */
  readonly unrecorded?: Unrecorded | null;
  /** Deaths before available in a row; and the earliest next start, CLOCK_MONOTONIC ms. */
  readonly deaths: number;
  readonly nextStartAt: number;
  /** Slots of evicted workers whose successors are not started yet. */
  readonly owed: number;
  /** By index: the slots whose worker was lost and whose next is not started yet (restart-counts.ts). Missing: none. */
  readonly losses?: Readonly<Record<number, { readonly generation: GenerationNumber; readonly restarts: number }>>;
  /** After a replacement: when the next one may begin; and when memory was measured last. CLOCK_MONOTONIC ms. */
  readonly pausedUntil: number | null;
  readonly measuredAt: number;
  /** Restarts of workers since crank started, for people. */
  readonly restarts: number;
  /** Whether the last worker or rollout that ended unasked was a failure: decides the exit status. */
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

/** The state before the first event, with the good specs of the record. */
export const initialState = (options: {
  readonly respawn: Respawn | null;
  readonly history: readonly GoodSpec[];
  /** A minimum: numbers of the history are not used again. */
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
