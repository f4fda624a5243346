// A worker as the core sees it: its states, its probes, why it failed or is evicted.

export type WorkerId = number;

export type GenerationNumber = number;

/** How a process ended. `unknown`: its exit status could not be collected. */
export type Ending =
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "signal"; readonly signal: string; readonly core: boolean }
  | { readonly kind: "unknown" };

/**
 * What is wrong with the sockets of a worker's process tree. `missing`: the sockets that no process of it holds, such
 * as `tcp://:8080 (descriptor 3)`. `held`: how many it holds. `listens`: where it listens beside them. `apart`: one
 * process holds the sockets, and another one, which does not, listens elsewhere; each such as `12 (npm start)`.
 */
export type SocketFinding = {
  readonly missing: readonly string[];
  readonly held: number;
  readonly listens: readonly string[];
  readonly apart?: { readonly holder: string; readonly listener: string };
};

/** How a worker showed that it is ready. */
export type Sign = "notify" | "ack" | "delay" | "probe";

/** Why a worker never became available. */
export type Failure =
  | { readonly kind: "exited"; readonly ending: Ending; readonly tail: string }
  /** `probe`: what the last probe found wrong, if anything. `sockets`: what is wrong with the sockets, if anything. */
  | {
      readonly kind: "timeout";
      readonly afterMs: number;
      readonly tail: string;
      readonly probe?: string;
      readonly sockets?: SocketFinding;
    }
  /** It reported that it is ready, but does not hold the sockets. */
  | { readonly kind: "notServing"; readonly sign: Sign; readonly sockets: SocketFinding; readonly tail: string }
  /** `detail`: the same as part of a sentence that names what the kernel was asked for. */
  | { readonly kind: "spawn"; readonly step: string; readonly errno: number; readonly detail?: string }
  /** It was ready, but not alive any more before it was available. */
  | { readonly kind: "dismissed"; readonly reason: Eviction; readonly tail: string }
  | { readonly kind: "deadline"; readonly afterMs: number }
  | { readonly kind: "superseded" }
  | { readonly kind: "shutdown" };

/**
 * Why crank evicts a worker. `notAlive`: its probes failed; `detail` is what the last one found wrong. `watchdog`: no
 * WATCHDOG=1 came for `afterMs`; null: it sent WATCHDOG=trigger. `age`: it was started `afterMs` ago. `memory`: its
 * process tree uses `bytes`, more than `limit`, which is the spec's limit reduced by jitter.
 */
export type Eviction =
  | { readonly kind: "notAlive"; readonly detail: string }
  | { readonly kind: "watchdog"; readonly afterMs: number | null }
  | { readonly kind: "age"; readonly afterMs: number }
  | { readonly kind: "memory"; readonly bytes: number; readonly limit: number };

/**
 * The state of a worker's probes. `probe`: the number of the last one. `streak`: how many in a row had the result that
 * decides: success while it starts, failure while it is ready. `nextAt`: when the next one is due; null while one runs.
 * `detail`: what the last finished one found wrong.
 */
export type Probing = {
  readonly probe: number;
  readonly streak: number;
  readonly nextAt: number | null;
  readonly detail: string;
};

type WorkerBase = {
  readonly id: WorkerId;
  readonly generation: GenerationNumber;
  /** The lowest number, from 0, that no other worker has. */
  readonly index: number;
  /**
   * Ordinal of this attempt in its slot, from 1. Counted only if each slot has its own attempts (`manner.attempts`).
   */
  readonly attempt: number;
  /** Restart count of its slot, its own start included; missing: 0. */
  readonly restarts?: number;
  /** null until the keeper has started it. */
  readonly pid: number | null;
  readonly startTime: number;
  /** When its start was requested, CLOCK_MONOTONIC ms. */
  readonly startedAt: number;
  /** It replaces an evicted worker. */
  readonly replacement?: true;
};

/**
 * `starting`: `readyBy` is the deadline of its start or, for readiness by delay once it runs, when it is ready.
 * `ready`: since `readyAt`. It is available if `availableAt` is null, else from `availableAt` on. `dismissal`: why it
 * is evicted. `stopping`: since `stoppingAt`. Stop step `nextStep` is due at `stepAt` (null: none is left). `wasReady`
 * distinguishes a drain from a failed start. `failure`: why it failed; null if it did not. `rest`: the main process has
 * ended while this many others of its tree lived; the worker is gone when none of them is left.
 */
export type Worker = WorkerBase &
  (
    | {
        readonly kind: "starting";
        /**
         * It may have reported readiness while no supervisor ran, and may serve: it gets its stop steps before SIGKILL.
         */
        readonly unheard?: true;
        readonly readyBy: number | null;
        readonly probing: Probing | null;
      }
    | {
        readonly kind: "ready";
        readonly readyAt: number;
        readonly availableAt: number | null;
        /** Set if it has liveness probes. */
        readonly probing?: Probing;
        readonly dismissal?: Eviction;
      }
    | {
        readonly kind: "stopping";
        readonly stoppingAt: number;
        readonly wasReady: boolean;
        readonly nextStep: number;
        readonly stepAt: number | null;
        readonly failure: Failure | null;
        readonly dismissal?: Eviction;
        /** It ends, or its main process ended, without being told to. */
        readonly unasked?: true;
        readonly rest?: number;
      }
  );

export type WorkerState = Worker["kind"];

/** A worker in this state. */
export type In<S extends WorkerState> = Extract<Worker, { kind: S }>;
