// How a worker becomes ready and available: by its own message, by a probe or by a delay.

import { type Draft, putWorker, recordEvent, specOf } from "../model/draft.ts";
import type { Probed, WorkerReady } from "../model/events.ts";
import type { Own } from "../model/owner.ts";
import type { Spec } from "../model/spec.ts";
import type { In, Sign, SocketFinding, Worker } from "../model/worker.ts";
import { endReplacement } from "../pool/pacing.ts";
import { forgetDeaths } from "../worker/backoff.ts";
import { beginWatch, firstProbing, probeFor, takeProbed } from "../worker/probing.ts";
import { fail } from "./failures.ts";

type Starting = In<"starting">;

/** Whether its own message counts: with readiness by probe it does not. */
export const takeReady = (draft: Draft, worker: Starting, event: WorkerReady): void => {
  const spec = specOf(draft, worker.generation);
  if (probeFor(spec, worker) === null) judgeReady(draft, spec, worker, event, event.sign ?? "notify");
};

export const takeProbe = (draft: Draft, worker: Starting, event: Probed): void => {
  if (takeProbed(draft, worker, event)) judgeReady(draft, specOf(draft, worker.generation), worker, event, "probe");
};

/** Ms from when the process runs until it counts as ready; null: readiness is not by delay. */
export const readinessDelay = (spec: Spec | undefined): number | null => {
  const readiness = spec?.readiness;
  return readiness?.kind === "delay" ? readiness.afterMs : null;
};

type Shown = { readonly at: number; readonly sockets?: SocketFinding | undefined };

/** Judges by the time of the report, not of its arrival, and by whether the worker can serve. */
export const judgeReady = (
  draft: Draft,
  spec: Spec | undefined,
  worker: Starting,
  { at, sockets }: Shown,
  sign: Sign,
): void => {
  const isLate = worker.readyBy !== null && at > worker.readyBy && readinessDelay(spec) === null;
  if (isLate) failByTimeout(draft, worker, sockets);
  else if (sockets === undefined) becomeReady(draft, spec, worker, at);
  else fail(draft, worker, { kind: "notServing", sign, sockets, tail: "" });
};

const becomeReady = (draft: Draft, spec: Spec | undefined, worker: Starting, at: number): void => {
  const { now } = draft;
  const { id, generation, pid, startedAt } = worker;
  const minReadyMs = spec?.minReadyMs ?? 0;
  // Field by field: copying from another object is slower.
  const ready: Own<In<"ready">> = {
    id,
    generation,
    index: worker.index,
    attempt: worker.attempt,
    pid,
    startTime: worker.startTime,
    startedAt,
    kind: "ready",
    readyAt: now,
    availableAt: minReadyMs > 0 ? now + minReadyMs : null,
  };
  if (worker.replacement === true) ready.replacement = true;
  if (worker.restarts !== undefined) ready.restarts = worker.restarts;
  const probe = probeFor(spec, ready);
  if (probe !== null) ready.probing = firstProbing(now, probe);
  putWorker(draft, ready);
  beginWatch(draft, ready, spec);
  if (minReadyMs === 0) noteAvailable(draft, spec, worker);
  recordEvent(draft, {
    kind: "workerReady",
    worker: id,
    generation,
    pid: pid ?? 0,
    afterMs: at > startedAt ? at - startedAt : 0,
  });
};

/** The worker has been ready for long enough. */
export const becomeAvailable = (draft: Draft, worker: In<"ready">): void => {
  putWorker(draft, worker);
  noteAvailable(draft, specOf(draft, worker.generation), worker);
};

/** Without a surge, a replacement is complete when the new worker is available. */
const noteAvailable = (draft: Draft, spec: Spec | undefined, { replacement }: Worker): void => {
  forgetDeaths(draft);
  if (spec?.surge !== 0) return;
  const { rollout } = draft.service;
  const isIncoming = rollout !== null && rollout.rollingBack === null;
  if (isIncoming || replacement === true) endReplacement(draft, spec);
};

/** The failure counts now. It is reported when the process is gone, because only then its last output is known. */
export const failByTimeout = (draft: Draft, worker: In<"starting">, sockets?: SocketFinding): void => {
  const afterMs = specOf(draft, worker.generation)?.startTimeoutMs ?? draft.now - worker.startedAt;
  const probe = worker.probing?.detail ?? "";
  const why = { ...(probe === "" ? {} : { probe }), ...(sockets === undefined ? {} : { sockets }) };
  fail(draft, worker, { kind: "timeout", afterMs, tail: "", ...why });
};
