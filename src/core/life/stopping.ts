// A worker that stops: its time, and its end.

import { type Draft, ownService, putWorker, removeWorker } from "../model/draft.ts";
import type { Extended, MainExited } from "../model/events.ts";
import type { Ending, In } from "../model/worker.ts";
import { completeFailure } from "../pool/rollout.ts";
import { stopRest } from "../worker/stopping.ts";
import { attemptsLeftFor, noteFailed, noteGone, outcomeOf } from "./failures.ts";

/** The end of the main process decides the outcome of a worker that ends by itself, whatever happens to the rest. */
export const leaveRest = (draft: Draft, worker: In<"stopping">, event: MainExited): void => {
  if (worker.rest !== undefined) return;
  if (worker.unasked === true && worker.failure === null) ownService(draft).lastOutcome = outcomeOf(event.ending);
  stopRest(draft, worker, event);
};

export const finishStop = (
  draft: Draft,
  worker: In<"stopping">,
  { ending, tail }: { readonly ending: Ending; readonly tail: string },
): void => {
  removeWorker(draft, worker.id);
  const { failure } = worker;
  if (failure) {
    const known = "tail" in failure ? { ...failure, tail } : failure;
    completeFailure(draft, worker, known);
    noteFailed(draft, worker, known, attemptsLeftFor(draft, worker));
  }
  if (worker.unasked === true && failure === null && worker.rest === undefined)
    ownService(draft).lastOutcome = outcomeOf(ending);
  noteGone(draft, worker, ending, worker.unasked !== true);
};

export const extendStop = (draft: Draft, worker: In<"stopping">, { until }: Extended): void => {
  if (worker.stepAt !== null && worker.stepAt < until) putWorker(draft, { ...worker, stepAt: until });
};
