// Replacing workers that serve because they are old or large, one at a time, when nothing else is going on. No two of
// them have quite the same limits, so that those that were started together do not go together.
import { dismiss, isReplacing, poolOf } from "./dismissal.ts";
import type { Measured } from "./events.ts";
import { takeCensus } from "./pool.ts";
import type { Spec } from "./spec.ts";
import type { Generation, State, Worker, WorkerId } from "./state.ts";
import { changeService, emit, type Turn } from "./turn.ts";

type Ready = Extract<Worker, { kind: "ready" }>;
type View = Pick<State, "service" | "generations" | "workers">;

/** How much earlier than its limit says a worker goes at most, as a share of the limit. */
const JITTER = 0.1;
/** Multiples of it, without their whole parts, lie evenly between 0 and 1, and those that follow one another far apart. */
const GOLDEN_RATIO = 0.618_033_988_749_894_9;

/** A worker's own limit: always the same one, and up to a tenth below what the spec says. */
export const ownLimit = (limit: number, worker: WorkerId): number =>
  Math.round(limit * (1 - JITTER * ((worker * GOLDEN_RATIO) % 1)));

/** When the next worker is too old, or the memory is to be looked at, CLOCK_MONOTONIC ms; null: that is not waited for. */
export const recyclingDueAt = (view: View): number | null => {
  const current = recycledGeneration(view);
  if (!current || !mayReplace(view, current)) return null;
  const oldest = oldestOf(view, current);
  const ageDueAt = oldest === null ? Number.POSITIVE_INFINITY : Math.max(oldest.dueAt, view.service.pausedUntil ?? 0);
  const dueAt = Math.min(ageDueAt, measureDueAt(view, current));
  return dueAt === Number.POSITIVE_INFINITY ? null : dueAt;
};

/** Replaces the worker that has been too old for the longest time, and has the memory looked at when it is time for that. */
export const recycle = (turn: Turn): void => {
  const current = recycledGeneration(turn);
  if (!current || !mayReplace(turn, current)) return;
  if (measureDueAt(turn, current) <= turn.now) {
    changeService(turn, { measuredAt: turn.now });
    emit(turn, { kind: "measure" });
  }
  if (turn.now < (turn.service.pausedUntil ?? 0)) return;
  const oldest = oldestOf(turn, current);
  if (!oldest || oldest.dueAt > turn.now) return;
  dismiss(turn, oldest.worker, { kind: "age", afterMs: Math.round(turn.now - oldest.worker.startedAt) });
};

/** Replaces the worker that has grown furthest beyond its limit. Who is beyond it too has its turn at a later look. */
export const takeMeasured = (turn: Turn, { sizes }: Measured): void => {
  const current = recycledGeneration(turn);
  const limit = current?.spec.maxMemory ?? null;
  if (!current || limit === null || !mayReplace(turn, current) || turn.now < (turn.service.pausedUntil ?? 0)) return;
  let largest: { readonly worker: Ready; readonly bytes: number; readonly limit: number } | null = null;
  for (const { worker: id, bytes } of sizes) {
    const worker = turn.workers[id];
    const own = ownLimit(limit, id);
    if (worker?.kind !== "ready" || worker.generation !== current.number || bytes <= own) continue;
    if (largest === null || bytes - own > largest.bytes - largest.limit) largest = { worker, bytes, limit: own };
  }
  if (largest) dismiss(turn, largest.worker, { kind: "memory", bytes: largest.bytes, limit: largest.limit });
};

/** The generation whose workers are replaced when they are too old or too large; null while something else goes on, or nobody asked for it. */
const recycledGeneration = ({ service, generations }: View): Generation | null => {
  const { phase, rollout, current } = service;
  if (phase.kind === "stopping" || rollout !== null || current === null) return null;
  const generation = generations[current];
  return generation && isLimited(generation.spec) ? generation : null;
};

const isLimited = ({ maxAgeMs, maxMemory }: Spec): boolean => maxAgeMs !== null || maxMemory !== null;

/** All that are wanted serve, nobody is being replaced, and there is a place for one that drains. */
const mayReplace = (view: View, current: Generation): boolean => {
  if (isReplacing(view)) return false;
  const census = takeCensus(view, current);
  const { instances, spec } = poolOf(view.service, current, census.wantedAlive);
  const isWhole = census.wantedAvailable === census.alive && census.alive === instances && instances > 0;
  return isWhole && (spec.maxDraining === null || census.draining < spec.maxDraining);
};

const oldestOf = (
  { workers }: View,
  { number, spec }: Generation,
): { readonly worker: Ready; readonly dueAt: number } | null => {
  if (spec.maxAgeMs === null) return null;
  let oldest: { readonly worker: Ready; readonly dueAt: number } | null = null;
  for (const worker of Object.values(workers)) {
    if (worker.kind !== "ready" || worker.generation !== number) continue;
    const dueAt = worker.startedAt + ownLimit(spec.maxAgeMs, worker.id);
    if (oldest === null || dueAt < oldest.dueAt) oldest = { worker, dueAt };
  }
  return oldest;
};

const measureDueAt = ({ service }: View, { spec, createdAt }: Generation): number =>
  spec.maxMemory === null ? Number.POSITIVE_INFINITY : Math.max(service.measuredAt, createdAt) + spec.memoryIntervalMs;
