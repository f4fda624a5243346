// The end of the service, as einhorn's signals and its command `die` ask for it.
import { shutDownBy } from "../../supervisor/loop/actions.ts";
import type { ReceivedSignal } from "../../supervisor/state/front-end.ts";
import type { Memory } from "../../supervisor/state/store.ts";
import { stepsBeginningWith } from "./invocation.ts";

/** Sends every worker `signal`, then, if -t says so, SIGKILL, and ends when they are gone. */
export const shutDownWith = (signal: string) => (memory: Memory, received: ReceivedSignal) => {
  const timeoutMs = memory.settings?.defaults.stopTimeoutMs ?? null;
  shutDownBy(stepsBeginningWith(signal, timeoutMs))(memory, received);
};
