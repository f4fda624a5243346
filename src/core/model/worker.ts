// A worker as the core keeps it: its states, how its probes have come along, why it failed or has to go.

export type WorkerId = number;

export type GenerationNumber = number;

/** How a process ended. `unknown` when nobody could collect it. */
export type Ending =
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "signal"; readonly signal: string; readonly core: boolean }
  | { readonly kind: "unknown" };

/**
 * What is wrong with how a worker's process tree stands to the service's sockets. `missing`: the sockets that no process of
 * it holds, as `tcp://:8080 (descriptor 3)`; `held`: how many it holds. `listens`: where it listens beside them.
 * `apart`: one process holds the sockets, and another one, which does not, listens elsewhere; each as `12 (npm start)`.
 */
export type SocketFinding = {
  readonly missing: readonly string[];
  readonly held: number;
  readonly listens: readonly string[];
  readonly apart?: { readonly holder: string; readonly listener: string };
};

/** By what a worker has shown that it is ready. */
export type Sign = "notify" | "ack" | "delay" | "probe";

/** Why a worker never became available. */
export type Failure =
  | { readonly kind: "exited"; readonly ending: Ending; readonly tail: string }
  /** `probe`: what the last probe found wrong, where there was one. `sockets`: what is wrong with them, where something is. */
  | {
      readonly kind: "timeout";
      readonly afterMs: number;
      readonly tail: string;
      readonly probe?: string;
      readonly sockets?: SocketFinding;
    }
  /** It showed that it is ready, and does not hold the sockets. */
  | { readonly kind: "notServing"; readonly sign: Sign; readonly sockets: SocketFinding; readonly tail: string }
  /** `detail`: the same as part of a sentence that names what the kernel was asked for. */
  | { readonly kind: "spawn"; readonly step: string; readonly errno: number; readonly detail?: string }
  /** It got ready, and was not alive any more before it was available. */
  | { readonly kind: "dismissed"; readonly reason: Eviction; readonly tail: string }
  | { readonly kind: "deadline"; readonly afterMs: number }
  | { readonly kind: "superseded" }
  | { readonly kind: "shutdown" };

/**
 * Why crank itself takes a worker away and puts another in its place. `notAlive`: its probes say so; `detail` is what the
 * last one found wrong. `watchdog`: it has not said for `afterMs` that it is alive; null: it has said that it is not. `age`: it was started `afterMs` ago.
 * `memory`: it and what it has started have grown to `bytes`, which is more than the spec's `limit` with its jitter.
 */
export type Eviction =
  | { readonly kind: "notAlive"; readonly detail: string }
  | { readonly kind: "watchdog"; readonly afterMs: number | null }
  | { readonly kind: "age"; readonly afterMs: number }
  | { readonly kind: "memory"; readonly bytes: number; readonly limit: number };

/**
 * How far the probes of a worker have come. `probe`: the last one's number. `streak`: how many in a row have gone as it
 * takes to decide: well while it starts, badly when it is ready. `nextAt`: when the next one is due; null while one is
 * under way. `detail`: what the last one that ended found wrong.
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
  /** Lowest number from 0 that no living worker has. */
  readonly index: number;
  /** Which attempt at its place it is, from 1 on. Counted only where every place has its own (`manner.attempts`). */
  readonly attempt: number;
  /** How often workers were started again at its place before it was, and then it itself; missing: never. */
  readonly restarts?: number;
  /** null until the keeper says that it is started. */
  readonly pid: number | null;
  readonly startTime: number;
  /** When it was asked for, CLOCK_MONOTONIC ms. */
  readonly startedAt: number;
  /** It was started to take the place of one that was evicted. */
  readonly replacement?: true;
};

/**
 * `starting`: `readyBy` is when its start timeout is due, or, for readiness by delay once it runs, when it is ready.
 * `ready`: since `readyAt`; it is available when `availableAt` is null, and will be at `availableAt` otherwise;
 * `dismissal` says why it is to go when another has come for it.
 * `stopping`: since `stoppingAt`, `nextStep` of its stop steps is due at `stepAt` (null: no more), `wasReady` tells a
 * drain from a failed start, and `failure` says why it is being stopped when that was its own fault. `rest`: its main
 * process has ended, and so many others of its tree had not; it is gone when none of them is left.
 */
export type Worker = WorkerBase &
  (
    | {
        readonly kind: "starting";
        /** It may have said that it is ready while nobody was there to hear it, and serve: it is never ended without a word. */
        readonly unheard?: true;
        readonly readyBy: number | null;
        readonly probing: Probing | null;
      }
    | {
        readonly kind: "ready";
        readonly readyAt: number;
        readonly availableAt: number | null;
        /** Where it is asked whether it is alive. */
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
        /** It goes by itself. */
        readonly unasked?: true;
        readonly rest?: number;
      }
  );

export type WorkerState = Worker["kind"];
