// When a worker is too old or too large by the limits of its spec. Each worker's limits differ a little, so that
// workers started together are not replaced together.
import { NEVER } from "./id-map.ts";
import type { Spec } from "./spec.ts";
import type { Worker, WorkerId } from "./worker.ts";

/** The largest reduction of a limit, as a share of the limit. */
const JITTER = 0.1;
/** The fractional parts of its multiples are spread evenly between 0 and 1, and successive ones are far apart. */
const GOLDEN_RATIO = 0.618_033_988_749_894_9;

/** A worker's own limit: constant, and up to a tenth below that of the spec. */
export const ownLimit = (limit: number, worker: WorkerId): number =>
  Math.round(limit * (1 - JITTER * ((worker * GOLDEN_RATIO) % 1)));

/** When a worker of this spec is too old, CLOCK_MONOTONIC ms; NEVER: there is no age limit. */
export const oldAt = ({ id, startedAt }: Worker, spec: Spec | undefined): number =>
  spec === undefined || spec.maxAgeMs === null ? NEVER : startedAt + ownLimit(spec.maxAgeMs, id);
