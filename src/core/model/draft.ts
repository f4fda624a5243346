// One step in the making: a draft of the next state that shares with the last one whatever stays, and the effects so far.
// Mutable, and never seen outside of the step that made it.

import { oldAt } from "./age.ts";
import type { Effect, Note, Outcome } from "./effects.ts";
import type { Generation, RequestId, Service, State } from "./state.ts";
import type { GenerationNumber, Worker, WorkerId } from "./worker.ts";
import { findPool, withoutWorker, withWorker } from "./workers.ts";

export type Turn = {
  readonly before: State;
  readonly now: number;
  service: Service;
  generations: State["generations"];
  /** Written only through `putWorker` and `removeWorker`. */
  workers: State["workers"];
  history: State["history"];
  readonly effects: Effect[];
  /** All changes of the turn are one. */
  readonly owner: object;
  /** Whether a worker was taken out. */
  hasRemoved: boolean;
};

/** A draft of the state after `state`. `now`: CLOCK_MONOTONIC, ms. */
export const beginTurn = (state: State, now: number): Turn => ({
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
export const endTurn = (turn: Turn): State => {
  const { before, service, generations, workers, history } = turn;
  const isSame =
    service === before.service &&
    generations === before.generations &&
    workers === before.workers &&
    history === before.history;
  return isSame ? before : { service, generations, workers, history };
};

/** Changes parts of the service: copied once in a turn, and the turn's own from there on. */
export const changeService = (turn: Turn, changes: Partial<Service>): void => {
  if (turn.service === turn.before.service) turn.service = { ...turn.service, ...changes };
  else Object.assign(turn.service, changes);
};

/** Adds a generation, or puts it in the place of the one with its number. */
export const putGeneration = (turn: Turn, generation: Generation): void => {
  turn.generations = { ...turn.generations, [generation.number]: generation };
};

/** Adds a worker, or puts it in the place of the one with its id. */
export const putWorker = (turn: Turn, worker: Worker): void => {
  turn.workers = withWorker(turn.workers, worker, oldAt(worker, specOf(turn, worker.generation)), turn.owner);
};

/** Takes out a worker that is gone; its index is free again. */
export const removeWorker = (turn: Turn, id: WorkerId): void => {
  turn.hasRemoved = true;
  turn.workers = withoutWorker(turn.workers, id, turn.owner);
};

/** Wants something done, behind what was wanted before. */
export const emit = (turn: Turn, effect: Effect): void => {
  turn.effects.push(effect);
};

/** Wants people told what happened. */
export const note = (turn: Turn, content: Note): void => emit(turn, { kind: "note", note: content });

/** Answers requests, all in the same way. */
export const answer = (turn: Turn, requests: readonly RequestId[], outcome: Outcome): void => {
  for (const request of requests) emit(turn, { kind: "answer", request, outcome });
};

/** Answers a request that may be crank's own, which wants no answer. */
export const answerOne = (turn: Turn, request: RequestId | null, outcome: Outcome): void => {
  if (request !== null) emit(turn, { kind: "answer", request, outcome });
};

/** The spec of a generation, if it is not forgotten. */
export const specOf = (turn: Turn, generation: GenerationNumber) => turn.generations[generation]?.spec;

/** Forgets the generations that nothing refers to any more. */
export const pruneGenerations = (turn: Turn): void => {
  const { before, service, workers } = turn;
  const { service: last } = before;
  const isUsedAsBefore =
    !turn.hasRemoved &&
    turn.generations === before.generations &&
    service.rollout === last.rollout &&
    service.current === last.current &&
    service.pendingRecord === last.pendingRecord;
  if (isUsedAsBefore) return;
  const { current, rollout, pendingRecord } = service;
  for (const key in turn.generations) {
    const number = Number(key);
    if (number === current || number === rollout?.generation || number === pendingRecord?.generation) continue;
    if (findPool(workers, number) !== undefined) continue;
    const { [number]: _, ...used } = turn.generations;
    turn.generations = used;
  }
};
