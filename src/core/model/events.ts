// All events that the core handles. `now` is CLOCK_MONOTONIC in ms as the keeper delivered it; `at`, where it differs,
// is when it happened.
import type { Spec, StopStep } from "./spec.ts";
import type { Policy, RequestId, Respawn, RolloutOrder } from "./state.ts";
import type { Ending, Eviction, Sign, SocketFinding, WorkerId } from "./worker.ts";

/** Deploys `spec` as the next generation. `request` null: crank's own deploy (at its start, on SIGHUP). */
export type Run = {
  readonly kind: "run";
  readonly now: number;
  readonly request: RequestId | null;
  /** Wall clock, ms: the date of the generation, for people. */
  readonly wallNow: number;
  readonly spec: Spec;
  readonly supersede: boolean;
  readonly order: RolloutOrder;
  /** Refused if there are ready workers and none has this pid. */
  readonly expectPid: number | null;
};
/** Deploys the current generation's spec again, with its present number of workers. Waits for the end of a rollout. */
export type Reload = { readonly kind: "reload"; readonly now: number; readonly wallNow: number };
/** Drops the queued reload. */
export type CancelReload = { readonly kind: "cancelReload"; readonly now: number };
/** Changes the wanted number of workers. `by` adds, `to` sets. `inRollout`: what to do while a rollout is in flight. */
export type Scale = {
  readonly kind: "scale";
  readonly now: number;
  readonly request: RequestId | null;
  readonly change: { readonly to: number } | { readonly by: number };
  readonly inRollout: "refuse" | "apply";
};
/**
 * Stops everything and ends. Repeated: takes each worker's next stop step now. `request` is answered at the end.
 * `steps` are taken instead of those of the specs, from the first one on, also by workers that are stopping already.
 */
export type Shutdown = {
  readonly kind: "shutdown";
  readonly now: number;
  readonly request: RequestId | null;
  readonly steps: readonly StopStep[] | null;
};

export type Spawned = {
  readonly kind: "spawned";
  readonly now: number;
  readonly worker: WorkerId;
  readonly pid: number;
  readonly startTime: number;
};
export type SpawnFailed = {
  readonly kind: "spawnFailed";
  readonly now: number;
  readonly worker: WorkerId;
  readonly step: string;
  readonly errno: number;
  readonly detail?: string;
};
/**
 * A worker reported at `at` that it is ready; `at` decides whether that was in time. `sockets`: why it cannot serve all
 * the same.
 */
export type WorkerReady = {
  readonly kind: "workerReady";
  readonly now: number;
  readonly at: number;
  readonly worker: WorkerId;
  /** How it reported; missing: on its notify socket. */
  readonly sign?: Extract<Sign, "ack">;
  readonly sockets?: SocketFinding;
};
/**
 * A probe ended, at `at`. `unsure`: other workers took all its connections, so it says nothing about this one.
 * `sockets` as in `workerReady`.
 */
export type Probed = {
  readonly kind: "probed";
  readonly now: number;
  readonly at: number;
  readonly worker: WorkerId;
  readonly probe: number;
  readonly verdict: "ok" | "no" | "unsure";
  /** What was wrong, to complete "the probe found that it …"; "" if nothing was. */
  readonly detail: string;
  readonly sockets?: SocketFinding;
};
export type WorkerExited = {
  readonly kind: "workerExited";
  readonly now: number;
  readonly at: number;
  readonly worker: WorkerId;
  readonly ending: Ending;
  readonly tail: string;
};
/** A worker's main process has ended, and `rest` others of its tree have not. `workerExited` follows when they have. */
export type MainExited = {
  readonly kind: "mainExited";
  readonly now: number;
  readonly at: number;
  readonly worker: WorkerId;
  readonly ending: Ending;
  readonly rest: number;
};
/** Replace a ready worker by another of its generation. Ignored if the worker is not ready. */
export type Evict = {
  readonly kind: "evict";
  readonly now: number;
  readonly worker: WorkerId;
  readonly reason: Eviction;
};
/** A ready worker reports that it is about to end by itself. */
export type Leaving = { readonly kind: "leaving"; readonly now: number; readonly worker: WorkerId };
/** A worker that starts or stops asks for more time: until then, CLOCK_MONOTONIC ms. */
export type Extended = {
  readonly kind: "extended";
  readonly now: number;
  readonly worker: WorkerId;
  readonly until: number;
};
/** Another process of the worker is its main process from now on. */
export type Moved = {
  readonly kind: "moved";
  readonly now: number;
  readonly worker: WorkerId;
  readonly pid: number;
  readonly startTime: number;
};
/** The record is on disk, or could not be written. */
export type Recorded = { readonly kind: "recorded"; readonly now: number; readonly error: string | null };
/**
 * A new crank adopts the state of a killed one. `requests`: those that can still be answered. `lost`: workers that are
 * gone. `unsure`: workers whose last signal may not have been sent.
 */
export type Adopted = {
  readonly kind: "adopted";
  readonly now: number;
  readonly requests: readonly RequestId[];
  readonly lost: readonly WorkerId[];
  readonly unsure: readonly WorkerId[];
  readonly respawn: Respawn | null;
  readonly manner: Policy;
  /** The record differs from the state's history. */
  readonly isRecordOutdated: boolean;
};
/** How much memory the process trees of workers use. */
export type Measured = {
  readonly kind: "measured";
  readonly now: number;
  readonly sizes: readonly { readonly worker: WorkerId; readonly bytes: number }[];
};
/** A deadline may be due. `sockets`: what is wrong with the sockets of workers whose time to become ready is over. */
export type Tick = {
  readonly kind: "tick";
  readonly now: number;
  readonly sockets?: Readonly<Record<WorkerId, SocketFinding>>;
};

export type CoreEvent =
  | Run
  | Reload
  | CancelReload
  | Scale
  | Shutdown
  | Spawned
  | SpawnFailed
  | WorkerReady
  | Probed
  | WorkerExited
  | MainExited
  | Evict
  | Leaving
  | Extended
  | Moved
  | Recorded
  | Adopted
  | Measured
  | Tick;
