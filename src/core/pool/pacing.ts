// Pacing of replacements: a pause after each, and a limit of draining workers.

import { changeService, type Draft, ownService, recordEvent } from "../model/draft.ts";
import type { Spec } from "../model/spec.ts";
import type { Generation, Service, Waiting } from "../model/state.ts";
import { groupsOfOthers } from "./others.ts";
import { type Census, mayStop, startsWanted } from "./pool.ts";

/** A replacement is complete: begins the pause before the next one. */
export const endReplacement = (draft: Draft, { pauseMs }: Spec): void => {
  if (pauseMs > 0) ownService(draft).pausedUntil = draft.now + pauseMs;
};

/** Ends the pause when its time is over. */
export const endPause = (draft: Draft): void => {
  const { pausedUntil } = draft.service;
  if (pausedUntil !== null && pausedUntil <= draft.now) forgetPause(draft);
};

/** A new deploy or a rollback does not wait for an earlier pause. */
export const forgetPause = (draft: Draft): void => {
  if (draft.service.pausedUntil !== null) ownService(draft).pausedUntil = null;
};

/** When the rollout in flight goes on after its pause, CLOCK_MONOTONIC ms; null: there is no pause. */
export const pauseDueAt = ({ rollout, pausedUntil }: Service): number | null => (rollout === null ? null : pausedUntil);

/** Stores in the rollout what it waits for, and records an event when that changes. */
export const recordWaiting = (draft: Draft, wanted: Generation, census: Census): void => {
  const { rollout, pausedUntil } = draft.service;
  if (!rollout) return;
  const before = rollout.waiting ?? null;
  // The common case: it neither waits nor has anything to wait for.
  if (before === null && pausedUntil === null && wanted.spec.maxDraining === null) return;
  const waiting = waitingFor(draft, wanted, census);
  if (isSameWaiting(waiting, before)) return;
  const { waiting: _, ...going } = rollout;
  changeService(draft, { rollout: waiting === null ? going : { ...going, waiting } });
  const { generation } = rollout;
  if (waiting === null) return recordEvent(draft, { kind: "rolloutGoesOn", generation });
  const { pauseMs } = wanted.spec;
  const reason = waiting.kind === "pause" ? ({ kind: "pause", afterMs: pauseMs } as const) : waiting;
  recordEvent(draft, { kind: "rolloutWaiting", generation, reason });
};

const isSameWaiting = (a: Waiting | null, b: Waiting | null): boolean => {
  if (a === null || b === null) return a === b;
  if (a.kind === "pause") return b.kind === "pause" && a.until === b.until;
  return b.kind === "draining" && a.limit === b.limit;
};

const waitingFor = (draft: Draft, wanted: Generation, census: Census): Waiting | null => {
  const { rollout, pausedUntil } = draft.service;
  if (!rollout || rollout.rollingBack) return null;
  if (pausedUntil !== null) return census.othersLeft > 0 ? { kind: "pause", until: pausedUntil } : null;
  const limit = wanted.spec.maxDraining;
  if (limit === null) return null;
  // The limit holds the rollout up only if something could be done without it.
  const unlimited = { ...wanted, spec: { ...wanted.spec, maxDraining: null } };
  const isHeldUp =
    startsWanted(draft, unlimited, census) > startsWanted(draft, wanted, census) ||
    groupsOfOthers(draft, wanted)
      .flat()
      .some((kind) => mayStop(draft, unlimited, census, kind) && !mayStop(draft, wanted, census, kind));
  return isHeldUp ? { kind: "draining", limit } : null;
};
