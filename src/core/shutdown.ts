// Going down: everything is stopped, whoever waits is answered, and when the last worker is gone crank ends.

import { answer, answerOne, changeService, type Draft, emit, recordEvent } from "./model/draft.ts";
import type { Shutdown } from "./model/events.ts";
import { allWorkers, countWorkers } from "./model/workers.ts";
import { abandonRollout } from "./pool/rollout.ts";
import { respawns } from "./worker/backoff.ts";
import { beginStop, restartStop, takeNextStep } from "./worker/stopping.ts";

/** What a shutdown is for the core, whoever wanted it. */
type Wish = Pick<Shutdown, "request" | "steps">;

/** Stops everything. Asked for again, every worker's next stop step is taken now, or the first of other steps. */
export const shutDown = (draft: Draft, { request, steps }: Wish): void => {
  const { phase } = draft.service;
  if (phase.kind === "running") return beginShutdown(draft, 0, { request, steps });
  if (phase.ended) return answerOne(draft, request, { kind: "shutDown" });
  if (request !== null || (steps !== null && steps !== phase.steps)) {
    const requests = request === null ? phase.requests : [...phase.requests, request];
    changeService(draft, { phase: { ...phase, requests, steps: steps ?? phase.steps } });
  }
  for (const worker of allWorkers(draft.workers)) {
    if (worker.kind !== "stopping") continue;
    if (steps === null) takeNextStep(draft, worker);
    else if (worker.failure === null) restartStop(draft, worker);
  }
};

/** From here on nothing is started any more. `status` is what crank will exit with. */
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

/** Ends crank when the last worker is gone and nobody waits for the record any more. */
export const finishShutdown = (draft: Draft): void => {
  const { phase, pendingRecord } = draft.service;
  if (phase.kind === "running" || phase.ended || pendingRecord || hasWorkers(draft)) return;
  answer(draft, phase.requests, { kind: "shutDown" });
  end(draft, phase.status);
};

/**
 * The last worker is gone, and nothing brings another: so is the reason to stay. An empty pool that was asked for is one to
 * stay for, or not, as the program's manner is.
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
