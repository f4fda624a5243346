// Adoption: how a new crank goes on with the state that a killed one left. Lost workers ended for unknown reasons,
// requests of clients that are gone are dropped, and everything else continues where it was.

import { changeService, type Draft, putWorker, specOf } from "./model/draft.ts";
import type { Adopted } from "./model/events.ts";
import type { RequestId } from "./model/state.ts";
import { allWorkers, findWorker } from "./model/workers.ts";
import { beginWatch } from "./worker/probing.ts";
import { repeatLastStep } from "./worker/stopping.ts";
import { dispatchToWorker } from "./worker-life.ts";

/** Adopts the state. A shutdown ends with the crank that ran it: a crank that is started again is expected to serve. */
export const takeOver = (draft: Draft, event: Adopted): void => {
  const { requests, respawn, manner, lost, unsure, now, isRecordOutdated } = event;
  const { phase, ...before } = draft.service;
  const rollout = known(before.rollout, requests);
  const generation = before.current ?? draft.history.at(-1)?.generation ?? 0;
  const pendingRecord =
    known(before.pendingRecord, requests) ?? (isRecordOutdated ? { generation, requests: [] } : null);
  const isSame = rollout === before.rollout && pendingRecord === before.pendingRecord;
  if (!isSame || respawn !== before.respawn || manner !== before.manner)
    changeService(draft, { respawn, manner, rollout, pendingRecord });
  if (phase.kind === "stopping") changeService(draft, { phase: { kind: "running" }, lastOutcome: "clean" });
  for (const worker of lost)
    dispatchToWorker(draft, { kind: "workerExited", now, at: now, worker, ending: { kind: "unknown" }, tail: "" });
  for (const worker of allWorkers(draft.workers)) {
    if (worker.kind === "starting" && worker.unheard !== true) putWorker(draft, { ...worker, unheard: true });
    if (worker.kind === "ready") beginWatch(draft, worker, specOf(draft, worker.generation));
  }
  for (const id of unsure) {
    const worker = findWorker(draft.workers, id);
    if (worker?.kind === "stopping") repeatLastStep(draft, worker);
  }
};

/** Drops the requests that can no longer be answered. */
const known = <T extends { readonly requests: readonly RequestId[] }>(
  asked: T | null,
  there: readonly RequestId[],
): T | null => {
  if (!asked || asked.requests.every((request) => there.includes(request))) return asked;
  return { ...asked, requests: asked.requests.filter((request) => there.includes(request)) };
};
