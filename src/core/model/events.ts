// All that can happen to a service. `now` is CLOCK_MONOTONIC in ms as the keeper delivered it; `at`, where it differs, is when it happened.
import type { Spec, StopStep } from "./spec.ts";
import type { Policy, RequestId, Respawn, RolloutOrder } from "./state.ts";
import type { Ending, Eviction, Sign, SocketFinding, WorkerId } from "./worker.ts";

/** Deploys `spec` as the next generation. `request` null: crank's own wish (at its start, on SIGHUP). */
export type Run = {
  readonly kind: "run";
  readonly now: number;
  readonly request: RequestId | null;
  /** Wall clock, ms: dates the generation for people. */
  readonly wallNow: number;
  readonly spec: Spec;
  readonly supersede: boolean;
  readonly order: RolloutOrder;
  /** Refused unless this is the pid of a ready worker, when there is one. */
  readonly expectPid: number | null;
};
/** Deploys the current generation's spec once more, at its present number of workers; after the rollout in flight, if there is one. */
export type Reload = { readonly kind: "reload"; readonly now: number; readonly wallNow: number };
/** A reload that still waits is not wanted any more. */
export type CancelReload = { readonly kind: "cancelReload"; readonly now: number };
/** Changes the wanted number of workers. `by` adds, `to` sets. `inRollout`: what becomes of it while a rollout is in flight. */
export type Scale = {
  readonly kind: "scale";
  readonly now: number;
  readonly request: RequestId | null;
  readonly change: { readonly to: number } | { readonly by: number };
  readonly inRollout: "refuse" | "apply";
};
/**
 * Stops everything and ends. Again: every stop step that is next is taken now. `request` waits for the end. `steps` are
 * taken instead of the specs' own, from the first one on, by the workers that were stopping already too.
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
/** A worker said that it is ready. `at` is when, and judges lateness. `sockets`: why it cannot serve all the same. */
export type WorkerReady = {
  readonly kind: "workerReady";
  readonly now: number;
  readonly at: number;
  readonly worker: WorkerId;
  /** How; missing: on its notify socket. */
  readonly sign?: Extract<Sign, "ack">;
  readonly sockets?: SocketFinding;
};
/**
 * A probe has come to its end. `at` is when. `unsure`: other workers took all its connections, so it says nothing about this
 * one. `sockets` as in `workerReady`.
 */
export type Probed = {
  readonly kind: "probed";
  readonly now: number;
  readonly at: number;
  readonly worker: WorkerId;
  readonly probe: number;
  readonly verdict: "ok" | "no" | "unsure";
  /** What was wrong, as it completes "the probe found that it …"; "" if nothing was. */
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
/** A worker's main process has ended, and `rest` others of its tree have not. \`workerExited\` follows when they have. */
export type MainExited = {
  readonly kind: "mainExited";
  readonly now: number;
  readonly at: number;
  readonly worker: WorkerId;
  readonly ending: Ending;
  readonly rest: number;
};
/** A ready worker is to be replaced by another of its generation; anybody else stays as it is. */
export type Evict = {
  readonly kind: "evict";
  readonly now: number;
  readonly worker: WorkerId;
  readonly reason: Eviction;
};
/** A ready worker says that it goes by itself. */
export type Leaving = { readonly kind: "leaving"; readonly now: number; readonly worker: WorkerId };
/** A worker wants what it is doing, starting or stopping, to be given until then, CLOCK_MONOTONIC ms. */
export type Extended = {
  readonly kind: "extended";
  readonly now: number;
  readonly worker: WorkerId;
  readonly until: number;
};
/** Another process of the worker's is its main one from now on. */
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
 * The state is one that a crank left which was killed, and another takes it over. `requests` are those that can still be
 * answered; `lost` the workers that are gone; `unsure` those to which a signal may have been sent or not.
 */
export type Adopted = {
  readonly kind: "adopted";
  readonly now: number;
  readonly requests: readonly RequestId[];
  readonly lost: readonly WorkerId[];
  readonly unsure: readonly WorkerId[];
  readonly respawn: Respawn | null;
  readonly manner: Policy;
  /** The record holds something else than the state's history. */
  readonly isRecordOutdated: boolean;
};
/** How much memory workers use, with all that they have started. */
export type Measured = {
  readonly kind: "measured";
  readonly now: number;
  readonly sizes: readonly { readonly worker: WorkerId; readonly bytes: number }[];
};
/** Some deadline may be due. `sockets`: what is wrong with those of workers whose time to get ready is over. */
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
