// A decision whose signals an earlier supervisor sent without writing its result (loop/decision.ts).
import type { Store } from "./store.ts";

/** Its journal key. */
export const DECISION_KEY = "decision";

/**
 * Completes it if its event is the last one that was consumed. (It may be older, because an older version skips
 * decisions.)
 */
export const completeDecision = (store: Store, consumed: number): void => {
  const { decision } = store;
  if (decision === null) return;
  store.decision = null;
  store.batch.remove(DECISION_KEY);
  const { seq, worker, now, at } = decision;
  if (seq === consumed) store.advance({ kind: "workerReady", worker, now, at }, "sent");
};
