// The record on disk. A deploy is answered when its record is written or the write has failed. A failed write is
// retried, with growing pauses, until the record matches the history, because a reboot starts what the record says.

import { answer, type Draft, ownService } from "./model/draft.ts";
import type { Recorded } from "./model/events.ts";
import type { Service } from "./model/state.ts";
import { allWorkers } from "./model/workers.ts";
import { takeQueuedReload } from "./pool/reload.ts";

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 300_000;

/** Whether the record is to be written now, from the current history. */
export const isRecordWanted = ({ pendingRecord, unrecorded }: Service): boolean =>
  pendingRecord !== null || unrecorded?.nextAt === null;

/** When to retry the write, CLOCK_MONOTONIC ms; null: it is on disk, being written, or crank is shutting down. */
export const recordDueAt = ({ phase, unrecorded }: Service): number | null =>
  phase.kind === "stopping" ? null : (unrecorded?.nextAt ?? null);

/** Marks the record as wanted when the retry is due. */
export const retryRecord = (draft: Draft): void => {
  const { unrecorded } = draft.service;
  const dueAt = recordDueAt(draft.service);
  if (unrecorded && dueAt !== null && dueAt <= draft.now)
    ownService(draft).unrecorded = { ...unrecorded, nextAt: null };
};

/** The write has ended. The deploy is answered only now, so that an answered deploy survives a reboot. */
export const takeRecorded = (draft: Draft, { error }: Recorded): void => {
  const { pendingRecord, unrecorded } = draft.service;
  if (error !== null) {
    const pauseMs = unrecorded ? Math.min(2 * unrecorded.pauseMs, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
    ownService(draft).unrecorded = { pauseMs, nextAt: draft.now + pauseMs };
  } else if (unrecorded) ownService(draft).unrecorded = null;
  if (!pendingRecord) return;
  ownService(draft).pendingRecord = null;
  const { generation, requests } = pendingRecord;
  const pids: number[] = [];
  for (const worker of allWorkers(draft.workers)) {
    if (worker.generation === generation && worker.kind === "ready" && worker.pid !== null) pids.push(worker.pid);
  }
  answer(draft, requests, { kind: "deployed", generation, pids, recordError: error });
  takeQueuedReload(draft);
};
