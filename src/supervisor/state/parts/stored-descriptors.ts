// The descriptors that workers leave for later ones: their shapes. What becomes of them is in workers/start/stored-descriptors.ts.
import type { WorkerId } from "../../../core/model/worker.ts";
import type { RateLimit } from "./rate-limit.ts";

export type StoredDescriptor = {
  /** The keeper's number for it. */
  readonly handle: number;
  readonly name: string;
  /** The worker that left it. */
  readonly from: WorkerId;
  readonly place: Place;
};

/**
 * `taking`: it is being taken out of the process that named its number there, `fd`. `kept`: whoever comes next gets it.
 * `lent`: a worker was started with it and is not ready yet; if that one fails, it is kept again. `sent`: a running worker
 * is being sent it.
 */
export type Place =
  | { readonly kind: "taking"; readonly fd: number; readonly poll: boolean }
  | { readonly kind: "kept" }
  | { readonly kind: "lent"; readonly to: WorkerId }
  | { readonly kind: "sent"; readonly to: WorkerId };

export type DescriptorStore = {
  /** How many handles there were, so that none is used twice. */
  readonly handles: number;
  /** Running workers that want what is stored, in the order in which they asked. */
  readonly asking: readonly WorkerId[];
  /** It was said in the log that no more are kept, and that is still so. */
  readonly isFull: boolean;
  /** With how many a living worker was started. */
  readonly startedWith: Readonly<Record<WorkerId, number>>;
  /** How much of what happens to it was told; missing: nothing yet. */
  readonly telling?: Telling;
};

/** What was told, or not, of the descriptors that each living worker left, of what it lost, and of those that lost their peer. */
export type Telling = {
  readonly stored?: Readonly<Record<WorkerId, RateLimit & { readonly name: string }>>;
  readonly failed?: RateLimit;
  readonly peers?: RateLimit;
};

export const EMPTY_STORE: DescriptorStore = { handles: 0, asking: [], isFull: false, startedWith: {} };
