// Changing how many workers the current generation has.
import type { Refusal } from "./effects.ts";
import type { Scale } from "./events.ts";
import { takeCensus } from "./pool.ts";
import { startWorker } from "./starting.ts";
import type { Generation } from "./state.ts";
import { beginStop } from "./stopping.ts";
import { answerOne, note, putGeneration, type Turn } from "./turn.ts";

const MAX_INSTANCES = 1000;

/** Starts or stops workers until as many live as are wanted now, and answers at once. */
export const scale = (turn: Turn, { request, change }: Scale): void => {
  const { current } = turn.service;
  const generation = current === null ? undefined : turn.generations[current];
  const refusal = refusalOf(turn, generation);
  if (refusal || !generation) {
    return answerOne(turn, request, { kind: "refused", refusal: refusal ?? { kind: "nothingToScale" } });
  }
  const from = generation.instances;
  const to = "to" in change ? change.to : from + change.by;
  if (!Number.isInteger(to) || to < 0 || to > MAX_INSTANCES) {
    return answerOne(turn, request, { kind: "refused", refusal: { kind: "outOfRange", instances: to } });
  }
  const wanted = { ...generation, instances: to };
  if (to !== from) {
    putGeneration(turn, wanted);
    note(turn, { kind: "scaled", from, to });
  }
  fitPool(turn, wanted);
  answerOne(turn, request, { kind: "scaled", from, to });
};

const refusalOf = (turn: Turn, generation: Generation | undefined): Refusal | null => {
  if (turn.service.phase.kind === "stopping") return { kind: "shuttingDown" };
  if (turn.service.rollout) return { kind: "rolloutInFlight" };
  return generation ? null : { kind: "nothingToScale" };
};

const fitPool = (turn: Turn, wanted: Generation): void => {
  // As seen by nobody, all workers are others: those that are not available first, then the oldest.
  const { alive, others } = takeCensus(turn, null);
  for (let missing = wanted.instances - alive; missing > 0; missing--) startWorker(turn, wanted);
  for (const worker of others.slice(0, Math.max(0, alive - wanted.instances))) beginStop(turn, worker);
};
