// The record on disk. A deploy is answered when it is written, or when that has failed; a record that could not be written
// is tried again, later and later, until it says what the history says: what is on disk is what a reboot would start.

import { answer, changeService, type Draft } from "./model/draft.ts";
import type { Recorded } from "./model/events.ts";
import type { Service } from "./model/state.ts";
import { allWorkers } from "./model/workers.ts";
import { takeQueuedReload } from "./pool/reload.ts";

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 300_000;

/** Whether the record is to be written from the history as it is now. */
export const isRecordWanted = ({ pendingRecord, unrecorded }: Service): boolean =>
  pendingRecord !== null || unrecorded?.nextAt === null;

/** When it is to be tried again, CLOCK_MONOTONIC ms; null: it is on disk, or being written. */
export const recordDueAt = ({ phase, unrecorded }: Service): number | null =>
  phase.kind === "stopping" ? null : (unrecorded?.nextAt ?? null);

/** The time may have come to try again. */
export const retryRecord = (draft: Draft): void => {
  const { unrecorded } = draft.service;
  const dueAt = recordDueAt(draft.service);
  if (unrecorded && dueAt !== null && dueAt <= draft.now)
    changeService(draft, { unrecorded: { ...unrecorded, nextAt: null } });
};

/** It is known how the writing went. The deploy is answered for only now: what was answered survives a reboot. */
export const takeRecorded = (draft: Draft, { error }: Recorded): void => {
  const { pendingRecord, unrecorded } = draft.service;
  if (error !== null) {
    const pauseMs = unrecorded ? Math.min(2 * unrecorded.pauseMs, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
    changeService(draft, { unrecorded: { pauseMs, nextAt: draft.now + pauseMs } });
  } else if (unrecorded) changeService(draft, { unrecorded: null });
  if (!pendingRecord) return;
  changeService(draft, { pendingRecord: null });
  const { generation, requests } = pendingRecord;
  const pids: number[] = [];
  for (const worker of allWorkers(draft.workers)) {
    if (worker.generation === generation && worker.kind === "ready" && worker.pid !== null) pids.push(worker.pid);
  }
  answer(draft, requests, { kind: "deployed", generation, pids, recordError: error });
  takeQueuedReload(draft);
};
