// One step in the making: a draft of the next state that shares with the last one whatever stays, and the effects so far.
// Mutable, and never seen outside of the step that made it.
import type { Effect, Note, Outcome } from "./effects.ts";
import type { Generation, GenerationNumber, RequestId, Service, State, Worker, WorkerId } from "./state.ts";

export type Turn = {
  readonly before: State;
  readonly now: number;
  service: Service;
  generations: State["generations"];
  /** Written only through `putWorker` and `removeWorker`. */
  workers: State["workers"];
  history: State["history"];
  readonly effects: Effect[];
  /** The worker indexes in use, and below which of them none is free; found when the first worker is started. */
  indexes: { readonly used: Set<number>; lowest: number } | null;
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
  indexes: null,
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

/** Changes parts of the service. */
export const changeService = (turn: Turn, changes: Partial<Service>): void => {
  turn.service = { ...turn.service, ...changes };
};

/** Adds a generation, or puts it in the place of the one with its number. */
export const putGeneration = (turn: Turn, generation: Generation): void => {
  turn.generations = { ...turn.generations, [generation.number]: generation };
};

/** Adds a worker, or puts it in the place of the one with its id. */
export const putWorker = (turn: Turn, worker: Worker): void => {
  ownWorkers(turn)[worker.id] = worker;
};

/** Takes out a worker that is gone; its index is free again. */
export const removeWorker = (turn: Turn, id: WorkerId): void => {
  delete ownWorkers(turn)[id];
  turn.indexes = null;
};

/** Copied once in a turn, however many workers change: a fleet that is told to stop is one copy, not five hundred. */
const ownWorkers = (turn: Turn): Record<WorkerId, Worker> => {
  if (turn.workers === turn.before.workers) turn.workers = { ...turn.workers };
  // The copy is the turn's own until the turn ends, so it may be written to.
  return turn.workers as Record<WorkerId, Worker>;
};

/** Takes the lowest index from 0 that no living worker has. */
export const takeIndex = (turn: Turn): number => {
  turn.indexes ??= { used: new Set(Object.values(turn.workers).map((worker) => worker.index)), lowest: 0 };
  const { indexes } = turn;
  while (indexes.used.has(indexes.lowest)) indexes.lowest += 1;
  indexes.used.add(indexes.lowest);
  return indexes.lowest;
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
  const { current, rollout, pendingRecord } = turn.service;
  const workers = Object.values(turn.workers);
  const isUsed = ({ number }: Generation): boolean =>
    number === current ||
    number === rollout?.generation ||
    number === pendingRecord?.generation ||
    workers.some(({ generation }) => generation === number);
  const generations = Object.values(turn.generations);
  const used = generations.filter(isUsed);
  if (used.length < generations.length)
    turn.generations = Object.fromEntries(used.map((generation) => [generation.number, generation]));
};
