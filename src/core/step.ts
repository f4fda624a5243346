// The core as a pure function: from a state and an event to the next state and the effects. No clock, no randomness, no
// I/O: the same input gives the same result in every process.
import { takeOver } from "./adopted.ts";
import { answerOne, beginDraft, type Draft, endDraft } from "./model/draft.ts";
import type { Effect, Refusal } from "./model/effects.ts";
import type { CoreEvent, Run, Tick } from "./model/events.ts";
import type { State } from "./model/state.ts";
import type { WorkerId } from "./model/worker.ts";
import { allWorkers } from "./model/workers.ts";
import { endPause } from "./pool/pacing.ts";
import { recycle, takeMeasured } from "./pool/recycling.ts";
import { cancelReload, reload, takeQueuedReload } from "./pool/reload.ts";
import { beginRollout, checkDeadline, isInFlight } from "./pool/rollout.ts";
import { scale } from "./pool/scale.ts";
import { reconcile } from "./reconcile.ts";
import { retryRecord, takeRecorded } from "./recording.ts";
import { shutDown } from "./shutdown.ts";
import { dispatchToDueWorkers, dispatchToWorker } from "./worker-life.ts";

type WorkerEvent = Extract<CoreEvent, { worker: WorkerId }>;
type ServiceKind = Exclude<CoreEvent, WorkerEvent>["kind"];

export type Step = { readonly state: State; readonly effects: readonly Effect[] };

/**
 * Handles one event. Unchanged parts keep their identity, the whole state included. Never throws: an event about an
 * unknown worker, or one that does not fit the state, changes nothing.
 */
export const step = (state: State, event: CoreEvent): Step => {
  const draft = beginDraft(state, event.now);
  handle(draft, event);
  reconcile(draft);
  return { state: endDraft(draft), effects: draft.effects };
};

/** How the service handles each event that is not about one worker. */
const SERVICE = {
  run: (draft, event) => run(draft, event),
  reload,
  cancelReload,
  scale,
  shutdown: shutDown,
  recorded: takeRecorded,
  adopted: takeOver,
  measured: takeMeasured,
  tick: (draft, event) => tick(draft, event),
} satisfies { [E in ServiceKind]: (draft: Draft, event: Extract<CoreEvent, { kind: E }>) => void };

const handle = (draft: Draft, event: CoreEvent): void => {
  if (isAboutWorker(event)) return dispatchToWorker(draft, event);
  // The key is the event's kind, so the handler is the one for it.
  (SERVICE[event.kind] as (draft: Draft, event: CoreEvent) => void)(draft, event);
};

/** Of the events, only these name a worker. */
const isAboutWorker = (event: CoreEvent): event is WorkerEvent => "worker" in event;

const run = (draft: Draft, event: Run): void => {
  const refusal = refusalOf(draft, event);
  if (refusal) answerOne(draft, event.request, { kind: "refused", refusal });
  else beginRollout(draft, event);
};

const refusalOf = (draft: Draft, { supersede, expectPid }: Run): Refusal | null => {
  const { phase, current } = draft.service;
  if (phase.kind === "stopping") return { kind: "shuttingDown" };
  if (isInFlight(draft.service) && !supersede) return { kind: "rolloutInFlight" };
  if (expectPid === null) return null;
  const ready = allWorkers(draft.workers).filter((worker) => worker.kind === "ready" && worker.pid !== null);
  const shown = (ready.find((worker) => worker.generation === current) ?? ready[0])?.pid ?? null;
  if (shown === null || ready.some((worker) => worker.pid === expectPid)) return null;
  return { kind: "wrongPid", passed: expectPid, current: shown };
};

/**
 * Deadlines are checked in ticks only. The keeper sends a tick when no other event is waiting, so a readiness or an
 * exit that came in time counts before the deadline.
 */
const tick = (draft: Draft, event: Tick): void => {
  dispatchToDueWorkers(draft, event);
  endPause(draft);
  checkDeadline(draft);
  takeQueuedReload(draft);
  retryRecord(draft);
  recycle(draft);
};
