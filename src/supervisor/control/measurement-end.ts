// The end of a measurement: answers all requests that waited for it, or begins the next one.

import { beginMeasurement } from "../metrics/measuring.ts";
import { answerScrapes } from "../metrics/scrapes.ts";
import type { Scope } from "../state/parts/measurements.ts";
import { processId } from "../state/process-ids.ts";
import type { Memory } from "../state/store.ts";
import { answerMeasured, isMeasurementAwaited } from "./replies.ts";

/** The measurement's process is gone. If it has reported everything, it is not waited for any more. */
export const measurementIsGone = (memory: Memory, number: number, now: number): void => {
  if (memory.measurements.current?.number !== number) return;
  memory.measurements.abandon(memory.batch);
  return measured(memory, now, null);
};

/** Abandons a running measurement that the keeper does not know. Requests that wait for it wait for the next one. */
export const reconcileMeasurement = (memory: Memory, known: ReadonlySet<number>, now: number): void => {
  const { current } = memory.measurements;
  if (!current || known.has(processId("measurement", current.number))) return;
  memory.measurements.abandon(memory.batch);
  if (isMeasurementAwaited(memory)) beginMeasurement(memory, now, "everything");
};

/** A measurement has ended, with a result or without one. */
export const measured = (memory: Memory, now: number, scope: Scope | null): void => {
  if (scope === "memory" && isMeasurementAwaited(memory)) beginMeasurement(memory, now, "everything");
  else return answerAll(memory);
};

const answerAll = (memory: Memory): void => {
  answerMeasured(memory);
  answerScrapes(memory);
};
