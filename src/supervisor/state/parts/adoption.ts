// What a killed crank left, while another takes it over: its shapes.
import type { ProcessRef } from "../../os/processes.ts";

/** Where a descriptor can be had: it is number `fd` of the living process `pid` that began at `startTime`. */
export type Holder = ProcessRef & { readonly fd: number; readonly worker: number };

/** A listening socket of the crank that was killed, and who holds it; `fails` is why others could not be asked. */
export type LeftSocket = {
  readonly handle: number;
  readonly uri: string;
  /** Where it listens, with the port filled in. */
  readonly address: string;
  readonly holders: readonly Holder[];
  readonly taken: Holder | null;
  readonly fails: readonly string[];
};

/** A worker that lives: how it is taken charge of. `output`: its descriptor of its pipe, null for none. */
export type LeftWorker = ProcessRef & {
  readonly id: number;
  readonly output: number | null;
  /** What of it cannot be had back, as sentences behind its name. */
  readonly losses: readonly string[];
  /** Its main process has ended, and these of its others have not; missing: it lives. */
  readonly rest?: readonly { readonly pid: number; readonly startTime: number }[];
};

/** What a killed crank left and this one takes over, from the look at it until it is done. */
export type Adoption = {
  /** The keeper that was killed. */
  readonly pid: number;
  readonly sockets: readonly LeftSocket[];
  readonly workers: readonly LeftWorker[];
  readonly lost: readonly { readonly id: number; readonly reason: string }[];
  /** No journal tells of the workers: what stands in the place of one. Missing: there is a journal. */
  readonly orphans?: Reconstruction;
};

/** What a journal of theirs would say, by its keys. `isUncertain`: it is not known of all of them what they run, so that the last good run is to be deployed once more. */
export type Reconstruction = { readonly entries: Readonly<Record<string, unknown>>; readonly isUncertain: boolean };
