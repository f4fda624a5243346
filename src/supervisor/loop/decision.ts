// Signals that are sent before the new state is written. The core is a pure function, so the last state in the journal
// and the event determine the whole decision, and the event is short. If the supervisor is killed before it has written
// the rest, the next one handles the event again, with the same result, and sends no signal.
import type { Effect } from "../../core/model/effects.ts";
import type { WorkerReady } from "../../core/model/events.ts";
import { step } from "../../core/step.ts";
import { DECISION_KEY } from "../state/decision.ts";
import type { Store } from "../state/store.ts";
import { applyEffect, follow } from "./apply-effects.ts";

/**
 * Handles the event that `advanceLast` left for the end of the keeper's event `seq`. Calls `send` when the outbox holds
 * the signals and the decision, and nothing else. Returns whether it did.
 */
export const takeLast = (store: Store, event: WorkerReady, seq: number, send: () => void): boolean => {
  store.last = null;
  const taken = step(store.core, event);
  // Other changes of this turn would be lost with the supervisor, and a failure has more effects than signals.
  const isAlone = store.batch.isEmpty && !store.events.hasAdded && event.sockets === undefined;
  if (!isAlone || !putSignals(store, taken.effects, event.now)) {
    follow(store, event, taken);
    return false;
  }
  const { worker, now, at } = event;
  store.batch.putText(DECISION_KEY, `{"seq":${seq},"worker":${worker},"now":${now},"at":${at}}`);
  send();
  store.batch.remove(DECISION_KEY);
  follow(store, event, taken, "sent");
  return true;
};

/** Returns whether there are any signals. */
const putSignals = (store: Store, effects: readonly Effect[], now: number): boolean => {
  let hasSignals = false;
  for (let index = 0; index < effects.length; index++) {
    const effect = effects[index];
    if (effect?.kind !== "signal") continue;
    applyEffect(store, effect, now);
    hasSignals = true;
  }
  return hasSignals;
};
