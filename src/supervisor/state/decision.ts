// What an earlier supervisor had decided and sent the signals of, and not written out (loop/decision.ts).
import type { Memory } from "./store.ts";

/** The journal's key for it. */
export const DECISION_KEY = "decision";

/**
 * Completes it, if the event with which it was sent is the last one that was consumed: an older version passes over
 * decisions.
 */
export const completeDecision = (memory: Memory, consumed: number): void => {
  const { decision } = memory;
  if (decision === null) return;
  memory.decision = null;
  memory.batch.remove(DECISION_KEY);
  const { seq, worker, now, at } = decision;
  if (seq === consumed) memory.advance({ kind: "workerReady", worker, now, at }, "sent");
};
