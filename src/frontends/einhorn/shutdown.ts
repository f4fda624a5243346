// The end of the service, as einhorn's signals and its command `die` ask for it.
import { stopStepsOf } from "../../spec/defaults.ts";
import { shutDownBy } from "../../supervisor/loop/actions.ts";
import type { ReceivedSignal } from "../../supervisor/state/front-end.ts";
import type { Store } from "../../supervisor/state/store.ts";

/** Sends every worker `signal`, then, if -t says so, SIGKILL, and ends when they are gone. */
export const shutDownWith = (signal: string) => (store: Store, received: ReceivedSignal) => {
  const timeoutMs = store.settings?.defaults.stopTimeoutMs ?? null;
  shutDownBy(stopStepsOf(signal, timeoutMs))(store, received);
};
