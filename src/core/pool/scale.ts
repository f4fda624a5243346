// Changing how many workers there should be.

import { answerOne, changeService, type Draft, putGeneration, recordEvent } from "../model/draft.ts";
import type { Refusal } from "../model/effects.ts";
import type { Scale } from "../model/events.ts";
import { isEvicted } from "../model/standing.ts";
import type { Generation } from "../model/state.ts";
import { startWorker } from "../worker/starting.ts";
import { beginStop, type Living } from "../worker/stopping.ts";
import { limitPendingReplacements } from "./eviction.ts";
import { takeOthers } from "./others.ts";
import { takeCensus, wantedGeneration } from "./pool.ts";

const MAX_INSTANCES = 1000;

/** Starts or stops workers until as many live as are wanted now, and answers at once. A rollout in flight goes on with the new number. */
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
  // A rollout starts and stops what it takes at the end of the step.
  if (draft.service.rollout === null) fitPool(draft, { ...wanted, instances: to });
  answerOne(draft, request, { kind: "scaled", from, to });
};

const refusalOf = (draft: Draft, wanted: Generation | null, inRollout: Scale["inRollout"]): Refusal | null => {
  if (draft.service.phase.kind === "stopping") return { kind: "shuttingDown" };
  if (draft.service.rollout && inRollout === "refuse") return { kind: "rolloutInFlight" };
  return wanted ? null : { kind: "nothingToScale" };
};

/** Of the current generation and of the incoming one: whichever it will be, that is its number. */
const setInstances = (draft: Draft, to: number): void => {
  const { current, rollout } = draft.service;
  for (const number of new Set([current, rollout?.generation ?? null])) {
    const generation = number === null ? undefined : draft.generations[number];
    if (!generation) continue;
    const retrying = to < generation.instances ? [] : generation.retrying;
    putGeneration(draft, { ...generation, instances: to, retrying });
  }
};

const fitPool = (draft: Draft, wanted: Generation): void => {
  // As seen by nobody, all workers are others: those that are not available first, then the oldest. Who is evicted goes
  // anyway, and its place is filled with those that are owed.
  const census = takeCensus(draft, null);
  const others: Living[] = [];
  takeOthers(draft, null, (worker) => {
    if (!isEvicted(worker)) others.push(worker);
    return true;
  });
  limitPendingReplacements(draft, wanted);
  // Where starts have a pace, those that are missing are started like others that are.
  const missing = draft.service.manner.pace === null ? wanted.instances - others.length - draft.service.owed : 0;
  // Until those that are evicted are gone, they take places. What does not fit beside them is owed.
  const surge = census.evicted > 0 ? wanted.spec.surge : 0;
  const starts = Math.max(0, Math.min(missing, wanted.instances + surge - census.alive));
  for (let started = 0; started < starts; started++) startWorker(draft, wanted, "another");
  if (missing > starts) changeService(draft, { owed: draft.service.owed + missing - starts });
  for (const worker of others.slice(0, Math.max(0, others.length - wanted.instances))) beginStop(draft, worker);
};
