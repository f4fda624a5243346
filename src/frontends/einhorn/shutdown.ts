// The shutdown of the service by einhorn's signals and its command `die`.
import { stopStepsOf } from "../../spec/defaults.ts";
import { shutDownBy } from "../../supervisor/loop/actions.ts";
import type { ReceivedSignal } from "../../supervisor/state/front-end.ts";
import type { Store } from "../../supervisor/state/store.ts";

/** Sends every worker `signal`, with -t also SIGKILL later, and ends when all have exited. */
export const shutDownWith = (signal: string) => (store: Store, received: ReceivedSignal) => {
  const timeoutMs = store.settings?.defaults.stopTimeoutMs ?? null;
  shutDownBy(stopStepsOf(signal, timeoutMs))(store, received);
};
