// socketmaster as a front end of the supervisor: its signals, and its log format.

import { printable } from "../../control/printable.ts";
import { describeEnding, describeServiceEvent, describeStep } from "../../core/describe.ts";
import type { ServiceEvent } from "../../core/model/effects.ts";
import { goTime } from "../../supervisor/events/log.ts";
import { cancelReload, forward, reload, upgrade } from "../../supervisor/loop/actions.ts";
import type { ReceivedSignal } from "../../supervisor/state/front-end.ts";
import type { FrontEnd, Store } from "../../supervisor/state/store.ts";
import { acknowledgements } from "../../supervisor/workers/serving/acknowledgement.ts";
import { socketmasterInvocation } from "./invocation.ts";

/** A stop of all processes also cancels the replacement that waits. */
const forwardEnd = (store: Store, signal: ReceivedSignal): void => {
  cancelReload(store, signal);
  forward(store, signal);
};

const sentenceFor = (store: Store, note: ServiceEvent): string | null => {
  switch (note.kind) {
    case "workerStarting": {
      const command = store.core.generations[note.generation]?.spec.command ?? [];
      return `Starting ${command[0] ?? ""} [${command.join(" ")}]`;
    }
    case "workerGone":
      return `[${note.pid ?? 0}] ${describeEnding(note.ending)}`;
    case "workerFailed":
      if (note.failure.kind !== "spawn") return null;
      // In the words of the original, then the reason.
      return `Could not start new process: ${describeStep(note.failure)}${note.failure.detail === undefined ? "" : ` (${note.failure.detail})`}`;
    case "workerStopping":
      return `Sending ${note.signal} to ${note.pid}`;
    case "workerMainGone":
      return describeServiceEvent(note);
    case "rolloutRolledBack":
      return note.failure.kind === "exited" ? "The new process exited before -start: no process is signalled" : null;
    default:
      return null;
  }
};

/** crank under the name of socketmaster. */
export const SOCKETMASTER: FrontEnd = {
  unheldSockets: "warn",
  parse: socketmasterInvocation,
  signals: { SIGHUP: reload, SIGUSR1: upgrade, SIGINT: forwardEnd, SIGTERM: forwardEnd, SIGQUIT: forwardEnd },
  dialect: acknowledgements,
  describe: (store, note) => {
    const message = sentenceFor(store, note);
    return message === null ? null : { level: "info", message };
  },
  logLine: (store, { message, wallMs }) =>
    `socketmaster[${store.facts.pid}] ${goTime(store, wallMs)} ${printable(message)}`,
};
