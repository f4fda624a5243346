// Scaling: changes the wanted number of workers.

import { answerOne, type Draft, ownService, putGeneration, recordEvent } from "../model/draft.ts";
import type { Refusal } from "../model/effects.ts";
import type { Scale } from "../model/events.ts";
import { isEvicted } from "../model/standing.ts";
import type { Generation } from "../model/state.ts";
import { startWorker } from "../worker/starting.ts";
import { beginStop, type Living } from "../worker/stopping.ts";
import { limitPendingReplacements } from "./eviction.ts";
import { groupsOfOthers, type Taking, takeFrom } from "./others.ts";
import { takeCensus, wantedGeneration } from "./pool.ts";

const MAX_INSTANCES = 1000;

/** Starts or stops workers to match the new number, and answers at once. A rollout in flight uses the new number. */
export const scale = (draft: Draft, { request, change, inRollout }: Scale): void => {
  const wanted = wantedGeneration(draft);
  const refusal = refusalOf(draft, wanted, inRollout);
  if (refusal || !wanted) {
    return answerOne(draft, request, { kind: "refused", refusal: refusal ?? { kind: "nothingToScale" } });
  }
  const from = wanted.instances;
  const to = "to" in change ? change.to : from + change.by;
  if (!Number.isInteger(to) || to < 0 || to > MAX_INSTANCES) {
    return answerOne(draft, request, { kind: "refused", refusal: { kind: "outOfRange", instances: to } });
  }
  if (to !== from) {
    setInstances(draft, to);
    recordEvent(draft, { kind: "scaled", from, to });
  }
  // In a rollout, reconciliation starts and stops workers at the end of the step.
  if (draft.service.rollout === null) fitPool(draft, { ...wanted, instances: to });
  answerOne(draft, request, { kind: "scaled", from, to });
};

const refusalOf = (draft: Draft, wanted: Generation | null, inRollout: Scale["inRollout"]): Refusal | null => {
  if (draft.service.phase.kind === "stopping") return { kind: "shuttingDown" };
  if (draft.service.rollout && inRollout === "refuse") return { kind: "rolloutInFlight" };
  return wanted ? null : { kind: "nothingToScale" };
};

/** Sets the number of the current and the incoming generation: either may be the one that stays. */
const setInstances = (draft: Draft, to: number): void => {
  const { current, rollout } = draft.service;
  for (const number of new Set([current, rollout?.generation ?? null])) {
    const generation = number === null ? undefined : draft.generations[number];
    if (!generation) continue;
    const retrying = to < generation.instances ? [] : generation.retrying;
    putGeneration(draft, { ...generation, instances: to, retrying });
  }
};

const COLLECT_UNEVICTED: Taking<Living[]> = {
  may: () => true,
  take: (others, worker) => {
    if (!isEvicted(worker)) others.push(worker);
  },
};

const fitPool = (draft: Draft, wanted: Generation): void => {
  // With no generation wanted, all workers are others: those that are not available first, then the oldest. Evicted
  // workers stop anyway, and the owed starts fill their slots.
  const census = takeCensus(draft, null);
  const others: Living[] = [];
  takeFrom(draft, groupsOfOthers(draft, null), COLLECT_UNEVICTED, others);
  limitPendingReplacements(draft, wanted);
  // With a pace, reconciliation starts the missing workers.
  const missing = draft.service.manner.pace === null ? wanted.instances - others.length - draft.service.owed : 0;
  // Evicted workers keep their slots until they are gone. Starts that do not fit beside them are owed.
  const surge = census.evicted > 0 ? wanted.spec.surge : 0;
  const starts = Math.max(0, Math.min(missing, wanted.instances + surge - census.alive));
  for (let started = 0; started < starts; started++) startWorker(draft, wanted, "another");
  if (missing > starts) ownService(draft).owed = draft.service.owed + missing - starts;
  for (const worker of others.slice(0, Math.max(0, others.length - wanted.instances))) beginStop(draft, worker);
};
