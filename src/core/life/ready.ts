// A worker that is ready: its probes, its eviction, and its end.

import { type Draft, ownService, recordEvent, removeWorker } from "../model/draft.ts";
import type { Evict, MainExited, Probed, WorkerExited } from "../model/events.ts";
import { serves } from "../model/standing.ts";
import type { Ending, Failure, In } from "../model/worker.ts";
import { evict, replaceAgain } from "../pool/eviction.ts";
import { wantedGeneration } from "../pool/pool.ts";
import { countDeath } from "../worker/backoff.ts";
import { beginProbe, takeProbed } from "../worker/probing.ts";
import { beginLeaving, killRest } from "../worker/stopping.ts";
import { countFailure, fail, failByMain, noteFailed, noteGone, outcomeOf } from "./failures.ts";
import { becomeAvailable } from "./readiness.ts";

/** The worker becomes available, or the next probe is due. */
export const readyIsDue = (draft: Draft, worker: In<"ready">): void => {
  const isAvailable = worker.availableAt !== null && worker.availableAt <= draft.now;
  const next = isAvailable ? { ...worker, availableAt: null } : worker;
  if (isAvailable) becomeAvailable(draft, next);
  const probeAt = worker.probing?.nextAt ?? null;
  if (probeAt !== null && probeAt <= draft.now) beginProbe(draft, next);
};

export const takeLiveness = (draft: Draft, worker: In<"ready">, event: Probed): void => {
  if (takeProbed(draft, worker, event))
    takeEviction(draft, worker, { reason: { kind: "notAlive", detail: event.detail } });
};

/** On probation, a worker that is not alive has failed, like one that has exited. Otherwise the worker is evicted. */
export const takeEviction = (draft: Draft, worker: In<"ready">, { reason }: Pick<Evict, "reason">): void => {
  if (serves(reason) || !isOnProbation(draft, worker)) return evict(draft, worker, reason);
  fail(draft, worker, { kind: "dismissed", reason, tail: "" });
};

/** The worker ends by itself: it may be replaced, and has the time of a stop. On probation only its end counts. */
export const takeLeaving = (draft: Draft, worker: In<"ready">): void => {
  if (isOnProbation(draft, worker)) return;
  const { id, generation, pid } = worker;
  recordEvent(draft, { kind: "workerLeaving", worker: id, generation, pid: pid ?? 0 });
  beginLeaving(draft, worker);
  const wanted = wantedGeneration(draft)?.number;
  if (generation === wanted && worker.dismissal === undefined) countDeath(draft, worker, whenGone(worker));
};

/** A ready worker ended unasked. On probation, that is a failed start. */
export const loseReady = (draft: Draft, worker: In<"ready">, event: WorkerExited): void => {
  if (isOnProbation(draft, worker)) return failUnavailable(draft, worker, event);
  removeWorker(draft, worker.id);
  countLost(draft, worker, event);
  noteGone(draft, worker, event.ending, false);
};

/** The worker counts as lost with its main process, whatever is left of its tree. */
export const loseMain = (draft: Draft, worker: In<"ready">, event: MainExited): void => {
  if (isOnProbation(draft, worker)) return failByMain(draft, worker, event);
  killRest(draft, worker, event, null);
  countLost(draft, worker, event);
};

const countLost = (draft: Draft, worker: In<"ready">, { ending }: { readonly ending: Ending }): void => {
  const { rollout, current } = draft.service;
  ownService(draft).lastOutcome = outcomeOf(ending);
  if (worker.availableAt !== null && worker.dismissal === undefined) replaceAgain(draft, worker);
  const wanted = rollout && !rollout.rollingBack ? rollout.generation : current;
  if (worker.generation === wanted) countDeath(draft, worker, whenGone(worker));
};

const whenGone = ({ availableAt }: In<"ready">): "before available" | "after available" =>
  availableAt === null ? "after available" : "before available";

const failUnavailable = (draft: Draft, worker: In<"ready">, { ending, tail }: WorkerExited): void => {
  removeWorker(draft, worker.id);
  const failure: Failure = { kind: "exited", ending, tail };
  noteFailed(draft, worker, failure, countFailure(draft, worker, failure));
  noteGone(draft, worker, ending, false);
};

/** Whether the end of this worker now fails the rollout that started it. */
const isOnProbation = ({ service: { rollout } }: Draft, worker: In<"ready">): boolean =>
  worker.availableAt !== null && rollout?.generation === worker.generation && rollout.rollingBack === null;
