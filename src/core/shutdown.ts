// Going down: everything is stopped, whoever waits is answered, and when the last worker is gone crank ends.

import { answer, answerOne, changeService, emit, note, type Turn } from "./model/draft.ts";
import type { Shutdown } from "./model/events.ts";
import { allWorkers, countWorkers } from "./model/workers.ts";
import { abandonRollout } from "./pool/rollout.ts";
import { respawns } from "./worker/backoff.ts";
import { beginStop, restartStop, takeNextStep } from "./worker/stopping.ts";

/** What a shutdown is for the core, whoever wanted it. */
type Wish = Pick<Shutdown, "request" | "steps">;

/** Stops everything. Asked for again, every worker's next stop step is taken now, or the first of other steps. */
export const shutDown = (turn: Turn, { request, steps }: Wish): void => {
  const { phase } = turn.service;
  if (phase.kind === "running") return beginShutdown(turn, 0, { request, steps });
  if (phase.ended) return answerOne(turn, request, { kind: "shutDown" });
  if (request !== null || (steps !== null && steps !== phase.steps)) {
    const requests = request === null ? phase.requests : [...phase.requests, request];
    changeService(turn, { phase: { ...phase, requests, steps: steps ?? phase.steps } });
  }
  for (const worker of allWorkers(turn.workers)) {
    if (worker.kind !== "stopping") continue;
    if (steps === null) takeNextStep(turn, worker);
    else if (worker.failure === null) restartStop(turn, worker);
  }
};

/** From here on nothing is started any more. `status` is what crank will exit with. */
export const beginShutdown = (turn: Turn, status: number, { request, steps }: Wish): void => {
  abandonRollout(turn, { kind: "shutdown" });
  const requests = request === null ? [] : [request];
  changeService(turn, { queuedReload: null, phase: { kind: "stopping", status, requests, ended: false, steps } });
  note(turn, { kind: "shutdownStarted" });
  emit(turn, { kind: "closeSockets" });
  for (const worker of allWorkers(turn.workers)) {
    if (worker.kind !== "stopping") beginStop(turn, worker);
    else if (steps !== null && worker.failure === null) restartStop(turn, worker);
  }
};

/** Ends crank when the last worker is gone and nobody waits for the record any more. */
export const finishShutdown = (turn: Turn): void => {
  const { phase, pendingRecord } = turn.service;
  if (phase.kind === "running" || phase.ended || pendingRecord || hasWorkers(turn)) return;
  answer(turn, phase.requests, { kind: "shutDown" });
  end(turn, phase.status);
};

/**
 * The last worker is gone, and nothing brings another: so is the reason to stay. An empty pool that was asked for is one to
 * stay for, or not, as the program's manner is.
 */
export const endIfNothingRuns = (turn: Turn): void => {
  if (hasWorkers(turn)) return;
  const { phase, rollout, pendingRecord, current, lastOutcome, manner, owed } = turn.service;
  if (phase.kind !== "running" || rollout || pendingRecord || current === null) return;
  if (owed > 0) return;
  const wanted = turn.generations[current] ?? null;
  const isEmpty = wanted?.instances === 0;
  if (isEmpty ? manner.whenEmpty === "stay" : respawns(turn.service, wanted)) return;
  end(turn, lastOutcome === "failed" ? manner.failureStatus : 0);
};

const end = (turn: Turn, status: number): void => {
  changeService(turn, {
    queuedReload: null,
    phase: { kind: "stopping", status, requests: [], ended: true, steps: null },
  });
  emit(turn, { kind: "exit", status });
};

const hasWorkers = (turn: Turn): boolean => countWorkers(turn.workers) > 0;
