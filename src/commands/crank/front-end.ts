// crank as a front end of the supervisor: its command line, its signals, and its log format.

import { printable } from "../../control/printable.ts";
import { describeServiceEvent } from "../../core/describe.ts";
import type { ServiceEvent } from "../../core/model/effects.ts";
import { goTime } from "../../supervisor/events/log.ts";
import { reload, shutDown, upgrade } from "../../supervisor/loop/actions.ts";
import type { Level, LogEntry } from "../../supervisor/state/front-end.ts";
import type { FrontEnd, Store } from "../../supervisor/state/store.ts";
import { acknowledgements } from "../../supervisor/workers/serving/acknowledgement.ts";
import { crankInvocation } from "./invocation.ts";

const MARKS = { error: "ERROR: ", warning: "WARNING: ", info: "", debug: "" } as const;

const logLine = (store: Store, { level, message, wallMs }: LogEntry): string =>
  `${goTime(store, wallMs)} ${MARKS[level]}${printable(message)}`;

const levelOf = (event: ServiceEvent): Level =>
  event.kind === "workerGone" && !event.expected ? "warning" : EVENT_LEVELS[event.kind];

const EVENT_LEVELS: Readonly<Record<ServiceEvent["kind"], Level>> = {
  workerStarting: "debug",
  workerStarted: "info",
  workerReady: "info",
  workerStopping: "info",
  workerGone: "info",
  workerFailed: "error",
  workerStatus: "debug",
  workerLeaving: "info",
  workerMainGone: "info",
  workerMoved: "info",
  workerDismissed: "warning",
  placeGivenUp: "error",
  rolloutStarted: "info",
  rolloutWaiting: "info",
  rolloutGoesOn: "debug",
  rolloutComplete: "info",
  rolloutRolledBack: "error",
  respawnScheduled: "info",
  scaled: "info",
  shutdownStarted: "info",
};

/** crank, called as crank. */
export const CRANK: FrontEnd = {
  parse: crankInvocation,
  signals: { SIGHUP: reload, SIGTERM: shutDown, SIGINT: shutDown, SIGQUIT: shutDown, SIGUSR1: upgrade },
  dialect: acknowledgements,
  describe: (_memory, event) => ({ level: levelOf(event), message: describeServiceEvent(event) }),
  logLine,
};
