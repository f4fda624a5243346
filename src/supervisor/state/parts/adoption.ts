// Types of an adoption in progress: what a killed crank left.
import type { ProcessRef } from "../../os/processes.ts";

/** A descriptor that can be taken: number `fd` of the living process `pid` that started at `startTime`. */
export type Holder = ProcessRef & { readonly fd: number; readonly worker: number };

/** A listening socket of the killed crank, and its holders. `fails`: why it could not be taken from others. */
export type OrphanedSocket = {
  readonly handle: number;
  readonly uri: string;
  /** Where it listens, with the port filled in. */
  readonly address: string;
  readonly holders: readonly Holder[];
  readonly taken: Holder | null;
  readonly fails: readonly string[];
};

/** A living worker, and what adopting it takes. `output`: its descriptor of its output pipe; null: none. */
export type OrphanedWorker = ProcessRef & {
  readonly id: number;
  readonly output: number | null;
  /** What of it cannot be adopted, as the ends of sentences that begin with its name. */
  readonly losses: readonly string[];
  /** Set if its main process has ended: the other processes of it that live. */
  readonly rest?: readonly { readonly pid: number; readonly startTime: number }[];
};

/** What a killed crank left and this one adopts, until that is done. */
export type Adoption = {
  /** The keeper that was killed. */
  readonly pid: number;
  readonly sockets: readonly OrphanedSocket[];
  readonly workers: readonly OrphanedWorker[];
  readonly lost: readonly { readonly id: number; readonly reason: string }[];
  /** Orphaned workers without a journal: the entries in its place. Missing: there is a journal. */
  readonly orphans?: Reconstruction;
};

/**
 * The entries that a journal would have, by key. `isUncertain`: it is not known what all of them run, so the last good
 * spec is deployed again.
 */
export type Reconstruction = { readonly entries: Readonly<Record<string, unknown>>; readonly isUncertain: boolean };
