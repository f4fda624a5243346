// Events that concern crank itself and what it holds, as opposed to workers and rollouts: their shapes.
// supervisor-event-text.ts describes them.
import type { Ending, SocketFinding } from "../core/model/worker.ts";

/** `more`: how many events of this kind were not reported since the last one. */
export type SupervisorEvent =
  | { readonly kind: "supervisorDied"; readonly ending: Ending }
  /** A keeper event (its code and length) crashed three supervisors, and is not delivered again. */
  | { readonly kind: "messageSetAside"; readonly event: number; readonly bytes: number }
  /** The run directory was removed. `failure`: why it could not be created again. */
  | { readonly kind: "runDirectoryGone"; readonly directory: string; readonly failure: string | null }
  | { readonly kind: "journalFailed"; readonly step: string; readonly reason: string }
  /** The journal is on disk again, after it was in memory for `afterMs`. */
  | { readonly kind: "journalRestored"; readonly afterMs: number }
  | { readonly kind: "recordFailed"; readonly path: string | null; readonly reason: string }
  /** The directory or program of a generation was removed: a worker is started from the target of the given path. */
  | {
      readonly kind: "releaseGone";
      readonly generation: number;
      readonly worker: number;
      readonly gone: string;
      readonly cwd: string;
      readonly file: string;
    }
  /** The record is written again after a failure. */
  | { readonly kind: "recordRestored"; readonly path: string | null }
  /** A worker called shutdown(2) on a shared socket. `failure`: why it does not listen again; null: it does. */
  | { readonly kind: "listenerShutDown"; readonly address: string; readonly failure: string | null }
  /**
   * The file of a unix socket was removed or replaced. `bound`: a new socket is bound there. `pid`, `command`: the process that
   * listens there; 0 and null if unknown.
   */
  | {
      readonly kind: "socketName";
      readonly address: string;
      readonly state: "restored" | "taken" | "blocked" | "lost" | "bound";
      readonly pid: number;
      readonly command: string | null;
      readonly reason: string | null;
      readonly more: number;
    }
  /** `what` failed with a socket's file, and the consequence. */
  | {
      readonly kind: "socketNameFailed";
      readonly address: string;
      readonly what: string;
      readonly reason: string;
      readonly more: number;
    }
  /** A worker had shortened the accept queue; `generation` is the newest that runs. */
  | {
      readonly kind: "backlogRestored";
      readonly address: string;
      readonly generation: number;
      readonly before: number;
      readonly after: number;
    }
  /** A worker is ready by its front end's protocol but does not hold the sockets. */
  | {
      readonly kind: "socketsNotHeld";
      readonly worker: number;
      readonly pid: number | null;
      readonly sockets: SocketFinding;
    }
  /** Crank lacks the permission to see whether a worker holds these sockets. Reported once per generation. */
  | {
      readonly kind: "socketsUnseen";
      readonly worker: number;
      readonly pid: number | null;
      readonly sockets: readonly string[];
    }
  /**
   * A worker holds these sockets but listens elsewhere, and no process is seen to accept on them. `waiting`: connections that
   * wait there. Reported once for a generation.
   */
  | {
      readonly kind: "socketsUnaccepted";
      readonly worker: number;
      readonly pid: number | null;
      readonly sockets: readonly string[];
      readonly listens: readonly string[];
      readonly waiting: number;
    }
  /** `message`: the complete sentence. `by`: the signal that requested it; null for a request of a client. */
  | { readonly kind: "upgradeRefused"; readonly by: string | null; readonly message: string }
  | { readonly kind: "upgradeStarted"; readonly upgrade: number; readonly from: string; readonly path: string }
  | {
      readonly kind: "upgradeDone";
      readonly upgrade: number;
      readonly from: string;
      readonly to: string;
      readonly keeper: boolean;
    }
  | { readonly kind: "upgradeFailed"; readonly upgrade: number; readonly message: string }
  /** The service's socket was taken from a worker of a killed crank. */
  | {
      readonly kind: "socketTaken";
      readonly address: string;
      readonly uri: string;
      readonly worker: number;
      readonly pid: number;
      readonly fd: number;
    }
  | {
      readonly kind: "workerNotAdopted";
      readonly worker: number;
      readonly pid: number | null;
      readonly reason: string;
    }
  /** The worker is adopted, but a part of it is lost. */
  | {
      readonly kind: "adoptionLoss";
      readonly worker: number;
      readonly pid: number | null;
      readonly loss: string;
      readonly reason: string | null;
    }
  /** The workers of crank `pid` that were adopted, as `pids`, of `of` workers. */
  | {
      readonly kind: "adopted";
      readonly pid: number;
      readonly pids: readonly number[];
      readonly of: number;
      readonly afterMs: number;
    }
  /** Crank exits and leaves its workers running for the next one. */
  | { readonly kind: "workersLeft"; readonly count: number }
  /** Processes that a worker left were killed; the first of them are named. `worker` 0: of earlier workers. */
  | {
      readonly kind: "processesKilled";
      readonly worker: number;
      readonly count: number;
      readonly processes: readonly { readonly pid: number; readonly command: string }[];
    }
  /** A worker reports an error (ERRNO=) that differs from the last one. */
  | {
      readonly kind: "workerErrno";
      readonly worker: number;
      readonly pid: number | null;
      readonly errno: number;
      readonly reason: string;
      /** How many were not reported before; missing from earlier versions. */
      readonly more?: number;
    }
  /** Process `pid` sent a notification for a worker to which it does not belong. `words`: its first part. */
  | {
      readonly kind: "wordsRefused";
      readonly worker: number;
      readonly pid: number;
      readonly uid: number;
      readonly words: string;
      readonly more: number;
    }
  /** A worker sent an unknown message on its notify socket or the control socket. Reported once for a generation. */
  | {
      readonly kind: "wordsNotUnderstood";
      readonly worker: number;
      readonly pid: number | null;
      readonly channel: "notify" | "control";
      readonly words: string;
    }
  /** How often clients of this address sent a wrong token; the next connection waits for `waitMs`. */
  | { readonly kind: "tokenRefused"; readonly address: string; readonly times: number; readonly waitMs: number }
  /** WATCHDOG=1 came from processes other than the worker. */
  | { readonly kind: "watchdogRefused"; readonly worker: number; readonly times: number; readonly pid: number }
  /** A worker stored descriptors for a later one. */
  | {
      readonly kind: "descriptorsStored";
      readonly worker: number;
      readonly pid: number | null;
      readonly name: string;
      readonly count: number;
    }
  /** A worker was started with stored descriptors, or got them on request. */
  | {
      readonly kind: "descriptorsGiven";
      readonly worker: number;
      readonly count: number;
      readonly way: "start" | "sent";
    }
  | DescriptorsLost;

export type DescriptorsLost =
  /** More descriptors arrived at once than crank can take. */
  | {
      readonly kind: "descriptorsLost";
      readonly cause: "overflow";
      readonly worker: number;
      readonly pid: number | null;
      readonly more: number;
    }
  /** The store is full. Reported once, until there is room again. */
  | {
      readonly kind: "descriptorsLost";
      readonly cause: "full";
      readonly worker: number;
      readonly pid: number | null;
      readonly reason: string;
    }
  | {
      readonly kind: "descriptorsLost";
      readonly cause: "failed";
      readonly worker: number;
      readonly name: string;
      readonly reason: string;
      readonly more: number;
    }
  /** The peer has hung up. `worker` stored it. */
  | {
      readonly kind: "descriptorsLost";
      readonly cause: "peer";
      readonly worker: number;
      readonly name: string;
      readonly more: number;
    }
  /** Crank `pid` was killed and held them: `surely`, or `perhaps`, when a worker that was started with copies fails. */
  | {
      readonly kind: "descriptorsLost";
      readonly cause: "killed";
      readonly pid: number;
      readonly extent: "surely" | "perhaps";
      readonly count: number;
      /** Of the first of them. */
      readonly names: readonly string[];
    };
