// Shutdown: stops all workers, answers the waiting requests, and ends crank when the last worker is gone.

import { answer, answerOne, changeService, type Draft, emit, ownService, recordEvent } from "./model/draft.ts";
import type { Shutdown } from "./model/events.ts";
import { allWorkers, countWorkers } from "./model/workers.ts";
import { abandonRollout } from "./pool/rollout.ts";
import { respawns } from "./worker/backoff.ts";
import { beginStop, restartStop, takeNextStep } from "./worker/stopping.ts";

/** The part of the event that also applies to a shutdown that crank begins by itself. */
type Wish = Pick<Shutdown, "request" | "steps">;

/** Stops everything. Repeated: takes each worker's next stop step now or, if `steps` are given, the first of these. */
export const shutDown = (draft: Draft, { request, steps }: Wish): void => {
  const { phase } = draft.service;
  if (phase.kind === "running") return beginShutdown(draft, 0, { request, steps });
  if (phase.ended) return answerOne(draft, request, { kind: "shutDown" });
  if (request !== null || (steps !== null && steps !== phase.steps)) {
    const requests = request === null ? phase.requests : [...phase.requests, request];
    ownService(draft).phase = { ...phase, requests, steps: steps ?? phase.steps };
  }
  for (const worker of allWorkers(draft.workers)) {
    if (worker.kind !== "stopping") continue;
    if (steps === null) takeNextStep(draft, worker);
    else if (worker.failure === null) restartStop(draft, worker);
  }
};

/** Begins the shutdown: nothing is started from here on. `status`: crank's exit status. */
export const beginShutdown = (draft: Draft, status: number, { request, steps }: Wish): void => {
  abandonRollout(draft, { kind: "shutdown" });
  const requests = request === null ? [] : [request];
  changeService(draft, { queuedReload: null, phase: { kind: "stopping", status, requests, ended: false, steps } });
  recordEvent(draft, { kind: "shutdownStarted" });
  emit(draft, { kind: "closeSockets" });
  for (const worker of allWorkers(draft.workers)) {
    if (worker.kind !== "stopping") beginStop(draft, worker);
    else if (steps !== null && worker.failure === null) restartStop(draft, worker);
  }
};

/** Ends crank when the last worker is gone and no record is pending. */
export const finishShutdown = (draft: Draft): void => {
  const { phase, pendingRecord } = draft.service;
  if (phase.kind === "running" || phase.ended || pendingRecord || hasWorkers(draft)) return;
  answer(draft, phase.requests, { kind: "shutDown" });
  end(draft, phase.status);
};

/**
 * Ends crank if no worker is left and none will be started. `manner.whenEmpty` says whether crank stays with an empty
 * pool that was asked for.
 */
export const endIfNothingRuns = (draft: Draft): void => {
  if (hasWorkers(draft)) return;
  const { phase, rollout, pendingRecord, current, lastOutcome, manner, owed } = draft.service;
  if (phase.kind !== "running" || rollout || pendingRecord || current === null) return;
  if (owed > 0) return;
  const wanted = draft.generations[current] ?? null;
  const isEmpty = wanted?.instances === 0;
  if (isEmpty ? manner.whenEmpty === "stay" : respawns(draft.service, wanted)) return;
  end(draft, lastOutcome === "failed" ? manner.failureStatus : 0);
};

const end = (draft: Draft, status: number): void => {
  changeService(draft, {
    queuedReload: null,
    phase: { kind: "stopping", status, requests: [], ended: true, steps: null },
  });
  emit(draft, { kind: "exit", status });
};

const hasWorkers = (draft: Draft): boolean => countWorkers(draft.workers) > 0;
