// A handler for each kind of keeper event. It only passes the event to the module that is responsible.
import { ERROR_CODES } from "../../control/messages.ts";
import { describeErrno } from "../../core/errno.ts";
import type { Ending } from "../../core/model/worker.ts";
import { findWorker } from "../../core/model/workers.ts";
import { COMMANDS, type EventKind, type KeeperEvent, MESSAGES } from "../../keeper/protocol.ts";
import { atAdoptFailure } from "../adoption/adoption.ts";
import { takeLine } from "../control/connection.ts";
import { measured, measurementIsGone } from "../control/measurement-end.ts";
import {
  endConnection,
  endHeldAnswers,
  queueIsKnown,
  queuesStayUnknown,
  signalsAreSent,
  signalWasRefused,
} from "../control/replies.ts";
import { CONTROL_METHODS, type MethodHandlers } from "../control/requests.ts";
import { log } from "../events/log.ts";
import { recordEvent } from "../events/supervisor-event.ts";
import { takeMeasured } from "../metrics/measuring.ts";
import { signalName } from "../os/signals.ts";
import { atRestored } from "../sockets/backlog.ts";
import { atBoundAgain, atNameChanged, atNameFailure, atShutDown, lookAtNames } from "../sockets/names.ts";
import { restoreRunDirectory } from "../sockets/run-directory.ts";
import { cancelStart } from "../startup/stages.ts";
import { atBarrier, atFailure, atOpened } from "../startup/startup.ts";
import { limitRate } from "../state/parts/rate-limit.ts";
import { kindOf, numberOf, type ProcessKind } from "../state/process-ids.ts";
import { countDeath, forgetConnection, forgetPending, saveBoot, savePending } from "../state/save.ts";
import type { Store } from "../state/store.ts";
import { atManagerFailure } from "../systemd/link.ts";
import { saveReload } from "../systemd/service-manager.ts";
import { upgrade } from "../upgrade/request.ts";
import { takeUpgradeEvent } from "../upgrade/upgrade.ts";
import { atDescriptorsSent, atHungUp, atStoreFailure, atTaken } from "../workers/notify/descriptor-requests.ts";
import { atFollowFailure, atWatchdogExpired } from "../workers/notify/worker-report.ts";
import { acceptCheckDueAt } from "../workers/serving/accepting.ts";
import { probeIsGone, takeProbeResult } from "../workers/serving/probe-results.ts";
import { recycleByMemory } from "../workers/serving/recycling.ts";
import { someAreDue, takeTick } from "../workers/serving/serving.ts";
import { checkAccepting } from "../workers/serving/unaccepted.ts";
import { helperCommandIsGone } from "../workers/start/helper-commands.ts";
import { describeSpawnFailure } from "../workers/start/spawn-failure.ts";
import { LEAVING, leaveWorkers } from "./actions.ts";
import { advance } from "./apply-effects.ts";
import { takeNotification } from "./notifications.ts";

type EventOf<K extends EventKind> = Extract<KeeperEvent, { kind: K }>;
type Handled = Promise<void> | void;
type Handlers = { [K in EventKind]: (store: Store, event: EventOf<K>) => Handled };

/** Handles an event. Returns undefined if there is nothing to wait for. */
export const dispatch = (store: Store, event: KeeperEvent): Handled => {
  // Narrowed by the key: the table has for each kind the handler of that kind's events.
  const handler = ON_EVENT[event.kind] as (store: Store, event: KeeperEvent) => Handled;
  return handler(store, event);
};

const decoder = new TextDecoder();

const onSignal = (store: Store, event: EventOf<"signalled">): Handled => {
  const name = signalName(event.signal);
  const signal = { name, now: event.deliveredAt };
  const isServing = store.boot.stage === "serving";
  if (!isServing && ENDING.has(name)) return cancelStart(store);
  if (name === LEAVING) return leaveWorkers(store, signal);
  if (name === "SIGHUP") saveReload(store, signal.now);
  if (isServing && name === "SIGHUP") lookAtNames(store);
  if (isServing) return store.frontEnd.signals[name]?.(store, signal);
};

const onTick = (store: Store, event: EventOf<"tick">): Handled => {
  if (someAreDue(store, event.deliveredAt))
    return takeTick(store, event.deliveredAt).then(() => lookWhetherAccepted(store, event));
  advance(store, { kind: "tick", now: event.deliveredAt });
  return lookWhetherAccepted(store, event);
};

const lookWhetherAccepted = (store: Store, event: EventOf<"tick">): Handled => {
  const { deliveredAt } = event;
  if ((acceptCheckDueAt(store) ?? Number.POSITIVE_INFINITY) > deliveredAt) return endUpgradeCheck(store, event);
  return checkAccepting(store, deliveredAt).then((end) => {
    if (end) endHeldAnswers(store, end);
    return endUpgradeCheck(store, event);
  });
};

const endUpgradeCheck = (store: Store, event: EventOf<"tick">): Handled => {
  const limit = store.upgrade?.checkedBy ?? Number.POSITIVE_INFINITY;
  if (limit <= event.deliveredAt) return takeUpgradeEvent(store, event);
};

/** Signals that count before the sockets are open, whatever they mean later. */
const ENDING: ReadonlySet<string> = new Set(["SIGTERM", "SIGINT", "SIGQUIT", LEAVING]);

/** For each kind of process: what its datagram, its end and its failure to start mean. */
type ByKind<K extends EventKind> = { readonly [P in ProcessKind]: (store: Store, event: EventOf<K>) => Handled };

const NOTHING = (): void => undefined;

const ON_DATAGRAM: ByKind<"datagram"> = {
  worker: takeNotification,
  probe: (store, event) => takeProbeResult(store, numberOf(event.worker), event.bytes, event),
  upgradeCheck: takeUpgradeEvent,
  measurement: (store, event) => {
    const scope = takeMeasured(store, numberOf(event.worker), event);
    if (scope === null) return;
    recycleByMemory(store, event.deliveredAt);
    return measured(store, event.deliveredAt, scope);
  },
  helperCommand: NOTHING,
};

const ON_EXIT: ByKind<"exited"> = {
  worker: (store, event) =>
    advance(store, {
      kind: "workerExited",
      now: event.deliveredAt,
      at: event.happenedAt,
      worker: event.worker,
      ending: endingOf(event.ending, event.status),
      tail: decoder.decode(event.tail),
    }),
  probe: (store, event) => probeIsGone(store, numberOf(event.worker), event),
  upgradeCheck: takeUpgradeEvent,
  measurement: (store, event) => measurementIsGone(store, numberOf(event.worker), event.deliveredAt),
  helperCommand: helperCommandIsGone,
};

const ON_SPAWN_FAILURE: ByKind<"spawnFailed"> = {
  worker: (store, { worker, step, errno, deliveredAt }) => {
    const failed = findWorker(store.core.workers, worker);
    if (!failed) return;
    const detail = describeSpawnFailure(store, failed, { step, errno });
    const known = detail === undefined ? {} : { detail };
    advance(store, { kind: "spawnFailed", now: deliveredAt, worker, step, errno, ...known });
  },
  probe: (store, event) => probeIsGone(store, numberOf(event.worker), event),
  upgradeCheck: takeUpgradeEvent,
  measurement: (store, event) => measurementIsGone(store, numberOf(event.worker), event.deliveredAt),
  helperCommand: helperCommandIsGone,
};

const endingOf = (ending: number, status: number): Ending => {
  if (ending === 0) return { kind: "exit", code: status };
  if (ending === 3) return { kind: "unknown" };
  return { kind: "signal", signal: signalName(status), core: ending === 2 };
};

const onClosed = (store: Store, event: EventOf<"closed">): void => {
  forgetConnection(store, event.connection);
  for (const [request, pending] of store.pending) {
    if (pending.connection !== event.connection) continue;
    // A client that named its request may come back for the answer.
    if (pending.kind === "rollout" && pending.clientId !== null) {
      savePending(store, request, { ...pending, connection: 0 });
    } else {
      forgetPending(store, request);
    }
  }
};

const onFailure = (store: Store, event: EventOf<"failed">): Handled => {
  if (atManagerFailure(store, event)) return;
  if (store.boot.stage !== "serving") return atFailure(store, event);
  if (atNameFailure(store, event)) return;
  if (STORING.has(event.command) && store.descriptorStore.handles > 0) {
    if (!atStoreFailure(store, event)) warnOf(store, event);
    return;
  }
  if (event.command === COMMANDS.statSocket.code) return queuesStayUnknown(store, event.id);
  if (event.command === COMMANDS.adopt.code) return atAdoptFailure(store, event);
  if (event.command === COMMANDS.followMain.code) return atFollowFailure(store, event);
  // The client has hung up meanwhile; the event `closed` follows.
  if (event.command === COMMANDS.write.code || event.command === COMMANDS.follow.code) return;
  if (UPGRADE_COMMANDS.has(event.command)) return takeUpgradeEvent(store, event);
  if (event.command === COMMANDS.signal.code && signalWasRefused(store, event.id, describeErrno(event.errno))) return;
  warnOf(store, event);
};

const warnOf = (store: Store, { step, errno }: EventOf<"failed">): void =>
  log(store, "warning", `${step}: ${describeErrno(errno)}`);

/** Commands of the descriptor store. */
const STORING: ReadonlySet<number> = new Set([
  COMMANDS.keepDescriptor.code,
  COMMANDS.takeDescriptor.code,
  COMMANDS.storeHandle.code,
  COMMANDS.sendDescriptors.code,
  COMMANDS.sendDatagram.code,
]);

const UPGRADE_COMMANDS: ReadonlySet<number> = new Set([
  COMMANDS.copyJournal.code,
  COMMANDS.setProgram.code,
  COMMANDS.replaceSupervisor.code,
  COMMANDS.execute.code,
]);

const onQuarantined = (store: Store, event: EventOf<"quarantined">): void => {
  recordEvent(store, { kind: "messageSetAside", event: event.event, bytes: event.bytes.length }, event.deliveredAt);
  if (event.event !== MESSAGES.line.code || event.bytes.length < 8) return;
  // The bytes of a line event begin with its connection's number.
  const connection = Number(new DataView(event.bytes.buffer, event.bytes.byteOffset).getBigUint64(0, true));
  const message = "This request crashed the supervisor three times and is skipped";
  endConnection(store, connection, { code: ERROR_CODES.internal, message });
};

/** There are many addresses, so the limit is for all of them together. */
const onPenalty = (store: Store, { address, times, waitMs, deliveredAt }: EventOf<"penalized">): void => {
  const { suppressed, next } = limitRate(store.penalties, deliveredAt, MOST_PENALTIES);
  store.penalties = next;
  if (suppressed !== null) recordEvent(store, { kind: "tokenRefused", address, times, waitMs }, deliveredAt);
};
const MOST_PENALTIES = { most: 10, perMs: 60_000 };

/** All methods of the control socket. */
const METHODS: MethodHandlers = { ...CONTROL_METHODS, upgrade };

const ON_EVENT: Handlers = {
  tick: onTick,
  signalled: onSignal,
  failed: onFailure,
  reached: (store, event) => {
    signalsAreSent(store, event.token);
    return atBarrier(store, event);
  },
  supervisorDied: (store, event) => {
    countDeath(store);
    recordEvent(store, { kind: "supervisorDied", ending: endingOf(event.ending, event.status) }, event.deliveredAt);
  },
  supervisorReplaced: takeUpgradeEvent,
  supervisorKept: takeUpgradeEvent,
  rehearsed: takeUpgradeEvent,
  quarantined: onQuarantined,
  journalFailed: (store, { step, errno, deliveredAt }) => {
    restoreRunDirectory(store, deliveredAt);
    saveBoot(store, { ...store.boot, journal: "memory" });
    recordEvent(store, { kind: "journalFailed", step, reason: describeErrno(errno) }, deliveredAt);
  },
  journalRestored: (store, { afterMs, deliveredAt }) => {
    const { journal: _, ...boot } = store.boot;
    saveBoot(store, boot);
    recordEvent(store, { kind: "journalRestored", afterMs }, deliveredAt);
  },
  opened: (store, event) => {
    store.inodes.set(event.handle, event.inode);
    const stored = store.stored.get(event.handle);
    if (!stored && store.boot.stage === "serving" && store.sockets.has(event.handle))
      return atBoundAgain(store, event.handle, event.deliveredAt);
    if (!stored) return atOpened(store, event);
    if (stored.place.kind === "taking") return atTaken(store, stored, event.deliveredAt);
  },
  backlogRestored: atRestored,
  hungUp: atHungUp,
  descriptorsSent: atDescriptorsSent,
  socketStat: (store, event) =>
    queueIsKnown(store, event.request, event.handle, { queue: event.queue, limit: event.limit }),
  nameChanged: atNameChanged,
  relistened: (store, event) => {
    const address = store.sockets.get(event.handle)?.address ?? `socket ${event.handle}`;
    const failure = event.errno === 0 ? null : describeErrno(event.errno);
    recordEvent(store, { kind: "listenerShutDown", address, failure }, event.deliveredAt);
    if (failure !== null) atShutDown(store, event.handle);
  },
  spawned: (store, { worker, pid, startTime, deliveredAt }) =>
    kindOf(worker) === "worker"
      ? advance(store, { kind: "spawned", now: deliveredAt, worker, pid, startTime })
      : undefined,
  spawnFailed: (store, event) => ON_SPAWN_FAILURE[kindOf(event.worker)](store, event),
  exited: (store, event) => ON_EXIT[kindOf(event.worker)](store, event),
  mainExited: (store, { deliveredAt, happenedAt, worker, ending, status, rest }) =>
    advance(store, {
      ...{ kind: "mainExited", now: deliveredAt, at: happenedAt, worker, rest },
      ending: endingOf(ending, status),
    }),
  killed: (store, { deliveredAt, worker, count, pids, commands }) => {
    const processes = pids.map((pid, index) => ({ pid, command: commands[index] ?? "" }));
    recordEvent(store, { kind: "processesKilled", worker, count, processes }, deliveredAt);
  },
  moved: (store, { deliveredAt, worker, pid, startTime }) =>
    advance(store, { kind: "moved", now: deliveredAt, worker, pid, startTime }),
  datagram: (store, event) => ON_DATAGRAM[kindOf(event.worker)](store, event),
  watchdogExpired: atWatchdogExpired,
  line: (store, event) => takeLine(store, event, METHODS),
  penalized: onPenalty,
  closed: onClosed,
};
