// When a worker is too old or too large, by the limits of its spec. No two workers have quite the same limits, so that those
// that were started together do not go together.
import { NEVER } from "./id-map.ts";
import type { Spec } from "./spec.ts";
import type { Worker, WorkerId } from "./worker.ts";

/** How much earlier than its limit says a worker goes at most, as a share of the limit. */
const JITTER = 0.1;
/** Multiples of it, without their whole parts, lie evenly between 0 and 1, and those that follow one another far apart. */
const GOLDEN_RATIO = 0.618_033_988_749_894_9;

/** A worker's own limit: always the same one, and up to a tenth below what the spec says. */
export const ownLimit = (limit: number, worker: WorkerId): number =>
  Math.round(limit * (1 - JITTER * ((worker * GOLDEN_RATIO) % 1)));

/** When a worker of this spec is too old, CLOCK_MONOTONIC ms; NEVER: its age has no limit. */
export const oldAt = ({ id, startedAt }: Worker, spec: Spec | undefined): number =>
  spec === undefined || spec.maxAgeMs === null ? NEVER : startedAt + ownLimit(spec.maxAgeMs, id);
