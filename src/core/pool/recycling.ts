// Recycling: replaces serving workers that are too old or too large, one at a time, when nothing else is in progress.
import { ownLimit } from "../model/age.ts";
import { type Draft, emit, ownService } from "../model/draft.ts";
import type { Measured } from "../model/events.ts";
import { earliestOf, firstDue } from "../model/id-map.ts";
import type { Spec } from "../model/spec.ts";
import type { Generation, State } from "../model/state.ts";
import type { Worker } from "../model/worker.ts";
import { agesOf, findWorker } from "../model/workers.ts";
import { evict, isReplacing, poolOf } from "./eviction.ts";
import { takeCensus } from "./pool.ts";

type Ready = Extract<Worker, { kind: "ready" }>;
type View = Pick<State, "service" | "generations" | "workers">;

/** When the next worker is too old or memory is to be measured, CLOCK_MONOTONIC ms; null: there is no such deadline. */
export const recyclingDueAt = (view: View): number | null => {
  const current = recycledGeneration(view);
  if (!current || !mayReplace(view, current)) return null;
  const ageDueAt = Math.max(firstOldAt(view, current), view.service.pausedUntil ?? 0);
  const dueAt = Math.min(ageDueAt, measureDueAt(view, current));
  return dueAt === Number.POSITIVE_INFINITY ? null : dueAt;
};

/** Evicts the worker that has been too old for the longest time, and has memory measured when that is due. */
export const recycle = (draft: Draft): void => {
  const current = recycledGeneration(draft);
  if (!current || !mayReplace(draft, current)) return;
  if (measureDueAt(draft, current) <= draft.now) {
    ownService(draft).measuredAt = draft.now;
    emit(draft, { kind: "measure" });
  }
  if (draft.now < (draft.service.pausedUntil ?? 0)) return;
  if (firstOldAt(draft, current) > draft.now) return;
  const oldest = findWorker(draft.workers, firstDue(agesOf(draft.workers, current.number)) ?? 0);
  if (oldest?.kind !== "ready") return;
  evict(draft, oldest, { kind: "age", afterMs: Math.round(draft.now - oldest.startedAt) });
};

/** Evicts the worker that is furthest above its memory limit. Others above it follow after later measurements. */
export const takeMeasured = (draft: Draft, { sizes }: Measured): void => {
  const current = recycledGeneration(draft);
  const limit = current?.spec.maxMemory ?? null;
  if (!current || limit === null || !mayReplace(draft, current) || draft.now < (draft.service.pausedUntil ?? 0)) return;
  let largest: { readonly worker: Ready; readonly bytes: number; readonly limit: number } | null = null;
  for (const { worker: id, bytes } of sizes) {
    const worker = findWorker(draft.workers, id);
    const own = ownLimit(limit, id);
    if (worker?.kind !== "ready" || worker.generation !== current.number || bytes <= own) continue;
    if (largest === null || bytes - own > largest.bytes - largest.limit) largest = { worker, bytes, limit: own };
  }
  if (largest) evict(draft, largest.worker, { kind: "memory", bytes: largest.bytes, limit: largest.limit });
};

/** The generation to recycle; null while something else is in progress, or if its spec has no limits. */
const recycledGeneration = ({ service, generations }: View): Generation | null => {
  const { phase, rollout, current } = service;
  if (phase.kind === "stopping" || rollout !== null || current === null) return null;
  const generation = generations[current];
  return generation && isLimited(generation.spec) ? generation : null;
};

const isLimited = ({ maxAgeMs, maxMemory }: Spec): boolean => maxAgeMs !== null || maxMemory !== null;

/** Whether all wanted workers serve, no replacement is in progress, and one more worker may drain. */
const mayReplace = (view: View, current: Generation): boolean => {
  if (isReplacing(view)) return false;
  const census = takeCensus(view, current);
  const { instances, spec } = poolOf(view.service, current, census.wantedAlive);
  const isWhole = census.wantedAvailable === census.alive && census.alive === instances && instances > 0;
  return isWhole && (spec.maxDraining === null || census.draining < spec.maxDraining);
};

/** When the first available worker is too old. Where a worker may be replaced, all living ones are available. */
const firstOldAt = ({ workers }: View, { number }: Generation): number => earliestOf(agesOf(workers, number));

const measureDueAt = ({ service }: View, { spec, createdAt }: Generation): number =>
  spec.maxMemory === null ? Number.POSITIVE_INFINITY : Math.max(service.measuredAt, createdAt) + spec.memoryIntervalMs;
