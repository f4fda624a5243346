// One step in the making: a draft of the next state that shares with the last one whatever stays, and the effects so far.
// Mutable, and never seen outside of the step that made it.

import { oldAt } from "./age.ts";
import type { Effect, Outcome, ServiceEvent } from "./effects.ts";
import type { Generation, RequestId, Service, State } from "./state.ts";
import type { GenerationNumber, Worker, WorkerId } from "./worker.ts";
import { findPool, withoutWorker, withWorker } from "./workers.ts";

export type Draft = {
  readonly before: State;
  readonly now: number;
  service: Service;
  generations: State["generations"];
  /** Written only through `putWorker` and `removeWorker`. */
  workers: State["workers"];
  history: State["history"];
  readonly effects: Effect[];
  /** All changes of the draft are one. */
  readonly owner: object;
  /** Whether a worker was taken out. */
  hasRemoved: boolean;
};

/** A draft of the state after `state`. `now`: CLOCK_MONOTONIC, ms. */
export const beginDraft = (state: State, now: number): Draft => ({
  before: state,
  now,
  service: state.service,
  generations: state.generations,
  workers: state.workers,
  history: state.history,
  effects: [],
  owner: {},
  hasRemoved: false,
});

/** The next state; the last one itself if nothing has changed. */
export const endDraft = (draft: Draft): State => {
  const { before, service, generations, workers, history } = draft;
  const isSame =
    service === before.service &&
    generations === before.generations &&
    workers === before.workers &&
    history === before.history;
  return isSame ? before : { service, generations, workers, history };
};

/** Changes parts of the service: copied once in a draft, and the draft's own from there on. */
export const changeService = (draft: Draft, changes: Partial<Service>): void => {
  if (draft.service === draft.before.service) draft.service = { ...draft.service, ...changes };
  else Object.assign(draft.service, changes);
};

/** Adds a generation, or puts it in the place of the one with its number. */
export const putGeneration = (draft: Draft, generation: Generation): void => {
  draft.generations = { ...draft.generations, [generation.number]: generation };
};

/** Adds a worker, or puts it in the place of the one with its id. */
export const putWorker = (draft: Draft, worker: Worker): void => {
  draft.workers = withWorker(draft.workers, worker, oldAt(worker, specOf(draft, worker.generation)), draft.owner);
};

/** Takes out a worker that is gone; its index is free again. */
export const removeWorker = (draft: Draft, id: WorkerId): void => {
  draft.hasRemoved = true;
  draft.workers = withoutWorker(draft.workers, id, draft.owner);
};

/** Wants something done, behind what was wanted before. */
export const emit = (draft: Draft, effect: Effect): void => {
  draft.effects.push(effect);
};

/** Wants people told what happened. */
export const recordEvent = (draft: Draft, event: ServiceEvent): void => emit(draft, { kind: "event", event });

/** Answers requests, all in the same way. */
export const answer = (draft: Draft, requests: readonly RequestId[], outcome: Outcome): void => {
  for (const request of requests) emit(draft, { kind: "answer", request, outcome });
};

/** Answers a request that may be crank's own, which wants no answer. */
export const answerOne = (draft: Draft, request: RequestId | null, outcome: Outcome): void => {
  if (request !== null) emit(draft, { kind: "answer", request, outcome });
};

/** The spec of a generation, if it is not forgotten. */
export const specOf = (draft: Draft, generation: GenerationNumber) => draft.generations[generation]?.spec;

/** Forgets the generations that nothing refers to any more. */
export const pruneGenerations = (draft: Draft): void => {
  const { before, service, workers } = draft;
  const { service: last } = before;
  const isUsedAsBefore =
    !draft.hasRemoved &&
    draft.generations === before.generations &&
    service.rollout === last.rollout &&
    service.current === last.current &&
    service.pendingRecord === last.pendingRecord;
  if (isUsedAsBefore) return;
  const { current, rollout, pendingRecord } = service;
  for (const key in draft.generations) {
    const number = Number(key);
    if (number === current || number === rollout?.generation || number === pendingRecord?.generation) continue;
    if (findPool(workers, number) !== undefined) continue;
    const { [number]: _, ...used } = draft.generations;
    draft.generations = used;
  }
};
