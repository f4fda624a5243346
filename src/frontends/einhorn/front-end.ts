// einhorn as a front end of the supervisor: its signals, and its log format.
import { host } from "#host";
import { printable } from "../../control/printable.ts";
import { describeServiceEvent } from "../../core/describe.ts";
import type { ServiceEvent } from "../../core/model/effects.ts";
import { log } from "../../supervisor/events/log.ts";
import { abandonWorkers } from "../../supervisor/loop/actions.ts";
import type { Level, LogEntry } from "../../supervisor/state/front-end.ts";
import type { FrontEnd, Store } from "../../supervisor/state/store.ts";
import { runHelperCommand } from "../../supervisor/workers/start/helper-commands.ts";
import { einhornDialect } from "./dialect.ts";
import { saveSignal } from "./einhorn-state.ts";
import { einhornInvocation, unknownBindFlags } from "./invocation.ts";
import { shutDownWith } from "./shutdown.ts";
import { notifySubscribers, upgradeBy, upgraded, wrapper } from "./upgrade.ts";

const LEVELS: Readonly<Record<ServiceEvent["kind"], Level>> = {
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
  workerDismissed: "error",
  placeGivenUp: "error",
  rolloutStarted: "info",
  rolloutWaiting: "info",
  rolloutGoesOn: "debug",
  rolloutComplete: "info",
  rolloutRolledBack: "info",
  respawnScheduled: "debug",
  scaled: "info",
  shutdownStarted: "info",
};

const MARKS = { error: "ERROR", warning: "ERROR", info: "INFO", debug: "DEBUG" } as const;

const logLine = ({ facts }: Store, { level, message }: LogEntry): string =>
  `[MASTER ${facts.pid}] ${MARKS[level]}: ${printable(message)}`;

const published = (store: Store, event: ServiceEvent): void => {
  if (event.kind === "workerStopping") saveSignal(store, event.worker, event.signal);
  if (event.kind === "workerStarted") reniceWorker(store, event.pid);
  notifySubscribers(store, event);
};

const begun = (store: Store): void => {
  const { binds = [], extras } = store.settings ?? {};
  for (const bind of binds) {
    const unknown = unknownBindFlags(bind);
    if (unknown.length > 0)
      log(store, "warning", `${bind.uri}: ${unknown.join(", ")} is unknown and ignored; only r and n are known`);
  }
  const { master = null, command = null } = extras?.nice ?? {};
  if (master === null) return;
  if (command !== null) runHelperCommand(store, reniceCommand(command, master, store.facts.pid));
  else renice(store, master);
};

/** Our arguments are appended: the value is a command that may have options. */
const reniceCommand = (command: string, level: number, pid: number): string => `${command} ${level} -p ${pid}`;

/** Without a command, the level is set when the worker starts. */
const reniceWorker = (store: Store, pid: number): void => {
  const { worker = null, command = null } = store.settings?.extras?.nice ?? {};
  if (worker !== null && command !== null) runHelperCommand(store, reniceCommand(command, worker, pid));
};

const helperCommandFailed = (store: Store, how: string): void =>
  log(store, "error", `--nice: the command ${store.settings?.extras?.nice.command} ${how}`);

const renice = (store: Store, level: number): void => {
  try {
    for (const pid of [store.facts.pid, store.platform.pid]) host.processes.setPriority(pid, level);
  } catch (error) {
    log(store, "error", `--nice ${level}: ${error instanceof Error ? error.message : String(error)}`);
  }
};

/** crank, called as einhorn. */
export const EINHORN: FrontEnd = {
  unheldSockets: "warn",
  parse: einhornInvocation,
  signals: {
    SIGHUP: upgradeBy("oneByOne"),
    SIGINT: shutDownWith("SIGUSR2"),
    SIGUSR2: shutDownWith("SIGUSR2"),
    SIGTERM: shutDownWith("SIGTERM"),
    SIGQUIT: abandonWorkers("SIGQUIT", 1),
  },
  dialect: einhornDialect,
  describe: (_memory, event) => ({ level: LEVELS[event.kind], message: describeServiceEvent(event) }),
  published,
  begun,
  wrapper,
  upgraded,
  helperCommandFailed,
  logLine,
};
