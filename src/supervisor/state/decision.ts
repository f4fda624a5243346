// A decision whose signals an earlier supervisor sent without writing its result (loop/decision.ts).
import type { Memory } from "./store.ts";

/** Its journal key. */
export const DECISION_KEY = "decision";

/**
 * Completes it if its event is the last one that was consumed. (It may be older, because an older version skips
 * decisions.)
 */
export const completeDecision = (memory: Memory, consumed: number): void => {
  const { decision } = memory;
  if (decision === null) return;
  memory.decision = null;
  memory.batch.remove(DECISION_KEY);
  const { seq, worker, now, at } = decision;
  if (seq === consumed) memory.advance({ kind: "workerReady", worker, now, at }, "sent");
};
