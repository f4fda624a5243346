// The supervisor as a pure function: from a state and an event to the next state and what is to be done. No clock, no
// randomness, no I/O; the same state and event lead to the same place in every process.
import { takeOver } from "./adopted.ts";
import { answerOne, beginTurn, endTurn, type Turn } from "./model/draft.ts";
import type { Effect, Refusal } from "./model/effects.ts";
import type { CoreEvent, Run, Tick } from "./model/events.ts";
import type { State } from "./model/state.ts";
import { allWorkers } from "./model/workers.ts";
import { endPause } from "./pool/pacing.ts";
import { recycle, takeMeasured } from "./pool/recycling.ts";
import { cancelReload, reload, takeQueuedReload } from "./pool/reload.ts";
import { beginRollout, checkDeadline, isInFlight } from "./pool/rollout.ts";
import { scale } from "./pool/scale.ts";
import { settle } from "./reconcile.ts";
import { retryRecord, takeRecorded } from "./recording.ts";
import { shutDown } from "./shutdown.ts";
import { tellDueWorkers, tellWorker } from "./worker-life.ts";

export type Step = { readonly state: State; readonly effects: readonly Effect[] };

/**
 * Takes one event. What has not changed keeps its identity, the whole state included. Never throws: an event about a
 * worker that is not known, or that comes in a state where it means nothing, changes nothing.
 */
export const step = (state: State, event: CoreEvent): Step => {
  const turn = beginTurn(state, event.now);
  handle(turn, event);
  settle(turn);
  return { state: endTurn(turn), effects: turn.effects };
};

const handle = (turn: Turn, event: CoreEvent): void => {
  switch (event.kind) {
    case "run":
      return run(turn, event);
    case "reload":
      return reload(turn, event);
    case "cancelReload":
      return cancelReload(turn);
    case "scale":
      return scale(turn, event);
    case "shutdown":
      return shutDown(turn, event);
    case "recorded":
      return takeRecorded(turn, event);
    case "adopted":
      return takeOver(turn, event);
    case "measured":
      return takeMeasured(turn, event);
    case "tick":
      return tick(turn, event);
    case "spawned":
    case "spawnFailed":
    case "workerReady":
    case "probed":
    case "workerExited":
    case "mainExited":
    case "dismiss":
    case "leaving":
    case "extended":
    case "moved":
      return tellWorker(turn, event);
  }
};

const run = (turn: Turn, event: Run): void => {
  const refusal = refusalOf(turn, event);
  if (refusal) answerOne(turn, event.request, { kind: "refused", refusal });
  else beginRollout(turn, event);
};

const refusalOf = (turn: Turn, { supersede, expectPid }: Run): Refusal | null => {
  const { phase, current } = turn.service;
  if (phase.kind === "stopping") return { kind: "shuttingDown" };
  if (isInFlight(turn.service) && !supersede) return { kind: "rolloutInFlight" };
  if (expectPid === null) return null;
  const ready = allWorkers(turn.workers).filter((worker) => worker.kind === "ready" && worker.pid !== null);
  const shown = (ready.find((worker) => worker.generation === current) ?? ready[0])?.pid ?? null;
  if (shown === null || ready.some((worker) => worker.pid === expectPid)) return null;
  return { kind: "wrongPid", passed: expectPid, current: shown };
};

/**
 * Deadlines are looked at in ticks only: the keeper makes one when nothing else is waiting, so that a readiness or an
 * exit that is on its way counts before the deadline that it was in time for.
 */
const tick = (turn: Turn, event: Tick): void => {
  tellDueWorkers(turn, event);
  endPause(turn);
  checkDeadline(turn);
  takeQueuedReload(turn);
  retryRecord(turn);
  recycle(turn);
};
