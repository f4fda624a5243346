// einhyrningsins as a front end of the supervisor: its signals, and its log format.

import { printable } from "../../control/printable.ts";
import { describeServiceEvent } from "../../core/describe.ts";
import type { ServiceEvent } from "../../core/model/effects.ts";
import { syslogTime } from "../../supervisor/events/syslog.ts";
import { forward, reload, shutDown, shutDownBy } from "../../supervisor/loop/actions.ts";
import type { Level, LogEntry, ReceivedSignal } from "../../supervisor/state/front-end.ts";
import type { FrontEnd, Store } from "../../supervisor/state/store.ts";
import { einhyrningsinsDialect } from "./dialect.ts";
import { einhyrningsinsInvocation, TERMINATION } from "./invocation.ts";

/** Stops the workers with SIGTERM and without SIGUSR2. A second signal is ignored: timeout(1), for example, always sends two. */
const terminate = (store: Store, signal: ReceivedSignal): void => {
  const { phase } = store.core.service;
  const isUnderWay = phase.kind === "stopping" && phase.steps !== null;
  if (!isUnderWay) shutDownBy(TERMINATION)(store, signal);
};

const LEVELS: Readonly<Record<ServiceEvent["kind"], Level>> = {
  workerStarting: "debug",
  workerStarted: "info",
  workerReady: "info",
  workerStopping: "info",
  workerGone: "info",
  workerFailed: "warning",
  workerStatus: "debug",
  workerLeaving: "info",
  workerMainGone: "info",
  workerMoved: "info",
  workerDismissed: "warning",
  placeGivenUp: "warning",
  rolloutStarted: "info",
  rolloutWaiting: "info",
  rolloutGoesOn: "debug",
  rolloutComplete: "info",
  rolloutRolledBack: "warning",
  respawnScheduled: "info",
  scaled: "info",
  shutdownStarted: "info",
};

const MARKS = { error: "ERRO", warning: "WARN", info: "INFO", debug: "DEBG" } as const;

const logLine = (store: Store, { level, message, wallMs }: LogEntry): string =>
  `${syslogTime(store, wallMs)}.${String(Math.floor(wallMs) % 1000).padStart(3, "0")} ${MARKS[level]} ${printable(message)}`;

/** crank under the name of einhyrningsins. */
export const EINHYRNINGSINS: FrontEnd = {
  unheldSockets: "warn",
  parse: einhyrningsinsInvocation,
  signals: {
    SIGHUP: reload,
    SIGTTIN: forward,
    SIGTTOU: forward,
    SIGUSR1: forward,
    SIGCONT: forward,
    SIGINT: shutDown,
    SIGUSR2: shutDown,
    SIGTERM: terminate,
    SIGQUIT: terminate,
  },
  dialect: einhyrningsinsDialect,
  describe: (_memory, event) => ({ level: LEVELS[event.kind], message: describeServiceEvent(event) }),
  logLine,
  setUpFailure: { sink: "stdout", status: 255 },
};
