// All effects of the core. The supervisor turns each into keeper commands, an answer or a log line.
import type { RequestId } from "./state.ts";
import type { Ending, Eviction, Failure, GenerationNumber, WorkerId } from "./worker.ts";

export type Refusal =
  | { readonly kind: "rolloutInFlight" }
  | { readonly kind: "shuttingDown" }
  | { readonly kind: "wrongPid"; readonly passed: number; readonly current: number }
  | { readonly kind: "nothingToScale" }
  | { readonly kind: "outOfRange"; readonly instances: number };

/** The one answer that a request gets. */
export type Outcome =
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** The rollout completed. `recordError`: the deploy stands, but the record could not be written. */
  | {
      readonly kind: "deployed";
      readonly generation: GenerationNumber;
      readonly pids: readonly number[];
      readonly recordError: string | null;
    }
  /** The rollout was rolled back; `worker` is the one that failed. */
  | {
      readonly kind: "rolledBack";
      readonly generation: GenerationNumber;
      readonly worker: WorkerId | null;
      readonly pid: number | null;
      readonly failure: Failure;
    }
  | { readonly kind: "scaled"; readonly from: number; readonly to: number }
  | { readonly kind: "shutDown" };

/** Events for people and for the `events` stream. They change nothing. */
export type ServiceEvent =
  | { readonly kind: "workerStarting"; readonly worker: WorkerId; readonly generation: GenerationNumber }
  | {
      readonly kind: "workerStarted";
      readonly worker: WorkerId;
      readonly generation: GenerationNumber;
      readonly pid: number;
    }
  | {
      readonly kind: "workerReady";
      readonly worker: WorkerId;
      readonly generation: GenerationNumber;
      readonly pid: number;
      readonly afterMs: number;
    }
  | {
      readonly kind: "workerStopping";
      readonly worker: WorkerId;
      readonly generation: GenerationNumber;
      readonly pid: number;
      readonly signal: string;
    }
  | {
      readonly kind: "workerGone";
      readonly worker: WorkerId;
      readonly generation: GenerationNumber;
      readonly pid: number | null;
      readonly ending: Ending;
      readonly expected: boolean;
    }
  | {
      readonly kind: "workerFailed";
      readonly worker: WorkerId;
      readonly generation: GenerationNumber;
      readonly pid: number | null;
      readonly failure: Failure;
      readonly attemptsLeft: number;
    }
  /** The worker's last STATUS=, escaped. */
  | {
      readonly kind: "workerStatus";
      readonly worker: WorkerId;
      readonly generation: GenerationNumber;
      readonly pid: number;
      readonly status: string;
    }
  /** The worker ends by itself. */
  | {
      readonly kind: "workerLeaving";
      readonly worker: WorkerId;
      readonly generation: GenerationNumber;
      readonly pid: number;
    }
  /** The main process has ended. `rest` other processes of its tree have not, and got `signal`. */
  | {
      readonly kind: "workerMainGone";
      readonly worker: WorkerId;
      readonly generation: GenerationNumber;
      readonly pid: number;
      readonly ending: Ending;
      readonly rest: number;
      readonly signal: string;
      readonly expected: boolean;
    }
  /** Another process of the worker is its main process now. */
  | {
      readonly kind: "workerMoved";
      readonly worker: WorkerId;
      readonly generation: GenerationNumber;
      readonly before: number;
      readonly pid: number;
    }
  /** Crank evicts the worker and starts another in its place. */
  | {
      readonly kind: "workerDismissed";
      readonly worker: WorkerId;
      readonly generation: GenerationNumber;
      readonly pid: number;
      readonly reason: Eviction;
    }
  /** The slot's last attempt failed, so no worker takes it; `left` workers are wanted from now on. */
  | {
      readonly kind: "placeGivenUp";
      readonly worker: WorkerId;
      readonly generation: GenerationNumber;
      readonly left: number;
    }
  | { readonly kind: "rolloutStarted"; readonly generation: GenerationNumber; readonly instances: number }
  /**
   * The rollout waits before its next replacement: for a pause of `afterMs`, or because `limit` workers are draining.
   */
  | {
      readonly kind: "rolloutWaiting";
      readonly generation: GenerationNumber;
      readonly reason:
        | { readonly kind: "pause"; readonly afterMs: number }
        | { readonly kind: "draining"; readonly limit: number };
    }
  | { readonly kind: "rolloutGoesOn"; readonly generation: GenerationNumber }
  | { readonly kind: "rolloutComplete"; readonly generation: GenerationNumber; readonly tookMs: number }
  /** `current`: the generation that keeps serving. */
  | {
      readonly kind: "rolloutRolledBack";
      readonly generation: GenerationNumber;
      readonly failure: Failure;
      readonly current?: GenerationNumber | null;
    }
  | { readonly kind: "respawnScheduled"; readonly inMs: number }
  | { readonly kind: "scaled"; readonly from: number; readonly to: number }
  | { readonly kind: "shutdownStarted" };

export type Effect =
  /** Start a process for this worker from its generation's spec. */
  | { readonly kind: "start"; readonly worker: WorkerId }
  | {
      readonly kind: "signal";
      readonly worker: WorkerId;
      readonly signal: string;
      readonly target: "process" | "tree";
    }
  /** Probe this worker with its spec's check for readiness or liveness; answered by the event `probed`. */
  | { readonly kind: "probe"; readonly worker: WorkerId; readonly probe: number }
  /** Measure the memory of the workers; answered by the event `measured`, or not at all. */
  | { readonly kind: "measure" }
  /** Expect WATCHDOG=1 from this worker at least every `periodMs`. If it does not come, the event `evict` follows. */
  | { readonly kind: "watch"; readonly worker: WorkerId; readonly periodMs: number }
  /** Write the record from `state.history`; answered by the event `recorded`. */
  | { readonly kind: "record" }
  | { readonly kind: "answer"; readonly request: RequestId; readonly outcome: Outcome }
  | { readonly kind: "event"; readonly event: ServiceEvent }
  /** Close the service's sockets: no new clients are accepted from here on. */
  | { readonly kind: "closeSockets" }
  /** Exit with this status. */
  | { readonly kind: "exit"; readonly status: number };
