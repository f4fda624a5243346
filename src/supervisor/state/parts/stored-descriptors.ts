// Types of the descriptors that workers store for later workers. workers/start/stored-descriptors.ts handles them.
import type { WorkerId } from "../../../core/model/worker.ts";
import type { RateLimit } from "./rate-limit.ts";

export type StoredDescriptor = {
  /** The keeper's number for it. */
  readonly handle: number;
  readonly name: string;
  /** The worker that stored it. */
  readonly from: WorkerId;
  readonly place: DescriptorState;
};

/**
 * `taking`: it is being taken from the process that named its number `fd`. `kept`: the next worker gets it. `lent`: a
 * worker was started with it and is not ready yet; if that worker fails, it is kept again. `sent`: it is being sent to
 * a running worker.
 */
export type DescriptorState =
  | { readonly kind: "taking"; readonly fd: number; readonly poll: boolean }
  | { readonly kind: "kept" }
  | { readonly kind: "lent"; readonly to: WorkerId }
  | { readonly kind: "sent"; readonly to: WorkerId };

export type DescriptorStore = {
  /** The number of handles used so far, so that none is used twice. */
  readonly handles: number;
  /** Running workers that asked for stored descriptors, in order. */
  readonly asking: readonly WorkerId[];
  /** It was reported that the store is full, and it still is. */
  readonly isFull: boolean;
  /** How many descriptors each living worker was started with. */
  readonly startedWith: Readonly<Record<WorkerId, number>>;
  /** Rate limits of the reports; missing: nothing was reported yet. */
  readonly telling?: ReportLimits;
};

/** Rate limits: of descriptors stored by each living worker, of failures, and of descriptors whose peer hung up. */
export type ReportLimits = {
  readonly stored?: Readonly<Record<WorkerId, RateLimit & { readonly name: string }>>;
  readonly failed?: RateLimit;
  readonly peers?: RateLimit;
};

export const EMPTY_STORE: DescriptorStore = { handles: 0, asking: [], isFull: false, startedWith: {} };
