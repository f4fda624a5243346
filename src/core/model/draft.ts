// One step in progress: a draft of the next state, which shares unchanged parts with the last one, and the effects so
// far. Mutable, but used only within its step.

import type { Effect, Outcome, ServiceEvent } from "./effects.ts";
import type { Own } from "./owner.ts";
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
  /** All changes of the draft have one owner (owner.ts). */
  readonly owner: object;
  /** Whether a worker was removed. */
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

/** The draft's own service, whose fields may be set. The first call in a draft makes the copy. */
export const ownService = (draft: Draft): Own<Service> => {
  if (draft.service === draft.before.service) draft.service = copyOf(draft.service);
  return draft.service;
};

type MayBeMissing = "unrecorded" | "losses";

/** Field by field: on this engine spreading takes longer. The types prove that no field is forgotten. */
const copyOf = (service: Service): Own<Service> => {
  const { unrecorded, losses } = service;
  const copy: Own<Service> = {
    phase: service.phase,
    respawn: service.respawn,
    nextWorker: service.nextWorker,
    nextProbe: service.nextProbe,
    nextGeneration: service.nextGeneration,
    current: service.current,
    rollout: service.rollout,
    queuedReload: service.queuedReload,
    pendingRecord: service.pendingRecord,
    deaths: service.deaths,
    nextStartAt: service.nextStartAt,
    owed: service.owed,
    pausedUntil: service.pausedUntil,
    measuredAt: service.measuredAt,
    restarts: service.restarts,
    lastOutcome: service.lastOutcome,
    manner: service.manner,
  } satisfies Required<Omit<Service, MayBeMissing>>;
  if (unrecorded !== undefined) copy.unrecorded = unrecorded;
  if (losses !== undefined) copy.losses = losses;
  return copy;
};

/** Changes several fields of the service. */
export const changeService = (draft: Draft, changes: Partial<Service>): void => {
  Object.assign(ownService(draft), changes);
};

/** Adds a generation, or replaces the one with its number. */
export const putGeneration = (draft: Draft, generation: Generation): void => {
  draft.generations = { ...draft.generations, [generation.number]: generation };
};

/** Adds a worker, or replaces the one with its id. */
export const putWorker = (draft: Draft, worker: Worker): void => {
  draft.workers = withWorker(draft.workers, worker, specOf(draft, worker.generation), draft.owner);
};

/** Removes a worker that is gone; its index is free again. */
export const removeWorker = (draft: Draft, id: WorkerId): void => {
  draft.hasRemoved = true;
  draft.workers = withoutWorker(draft.workers, id, draft.owner);
};

/** Adds an effect; effects are carried out in this order. */
export const emit = (draft: Draft, effect: Effect): void => {
  draft.effects.push(effect);
};

/** Adds an event for people. */
export const recordEvent = (draft: Draft, event: ServiceEvent): void => emit(draft, { kind: "event", event });

/** Gives the same answer to all these requests. */
export const answer = (draft: Draft, requests: readonly RequestId[], outcome: Outcome): void => {
  for (const request of requests) emit(draft, { kind: "answer", request, outcome });
};

/** Answers a request; null is crank's own, which gets no answer. */
export const answerOne = (draft: Draft, request: RequestId | null, outcome: Outcome): void => {
  if (request !== null) emit(draft, { kind: "answer", request, outcome });
};

/** The spec of a generation, unless that was pruned. */
export const specOf = (draft: Draft, generation: GenerationNumber) => draft.generations[generation]?.spec;

/** Removes the generations that nothing refers to any more. */
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
