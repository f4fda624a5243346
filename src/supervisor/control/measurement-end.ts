// The end of a measurement: answers all requests that waited for it, or begins the next one.

import { beginMeasurement } from "../metrics/measuring.ts";
import { answerScrapes } from "../metrics/scrapes.ts";
import type { Scope } from "../state/parts/measurements.ts";
import { processId } from "../state/process-ids.ts";
import type { Store } from "../state/store.ts";
import { answerMeasured, isMeasurementAwaited } from "./replies.ts";

/** The measurement's process is gone. If it has reported everything, it is not waited for any more. */
export const measurementIsGone = (store: Store, number: number, now: number): void => {
  if (store.measurements.current?.number !== number) return;
  store.measurements.abandon(store.batch);
  return measured(store, now, null);
};

/** Abandons a running measurement that the keeper does not know. Requests that wait for it wait for the next one. */
export const reconcileMeasurement = (store: Store, known: ReadonlySet<number>, now: number): void => {
  const { current } = store.measurements;
  if (!current || known.has(processId("measurement", current.number))) return;
  store.measurements.abandon(store.batch);
  if (isMeasurementAwaited(store)) beginMeasurement(store, now, "everything");
};

/** A measurement has ended, with a result or without one. */
export const measured = (store: Store, now: number, scope: Scope | null): void => {
  if (scope === "memory" && isMeasurementAwaited(store)) beginMeasurement(store, now, "everything");
  else return answerAll(store);
};

const answerAll = (store: Store): void => {
  answerMeasured(store);
  answerScrapes(store);
};
