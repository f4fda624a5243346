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
import { atBarrier, atFailure, atOpened, cancelStart } from "../startup/startup.ts";
import { limitRate } from "../state/parts/rate-limit.ts";
import { kindOf, numberOf, type ProcessKind } from "../state/process-ids.ts";
import { countDeath, forgetConnection, forgetPending, rememberBoot, rememberPending } from "../state/remember.ts";
import type { Memory } from "../state/store.ts";
import { atManagerFailure } from "../systemd/link.ts";
import { rememberReload } from "../systemd/tell-service-manager.ts";
import { upgrade } from "../upgrade/request.ts";
import { takeUpgradeEvent } from "../upgrade/upgrade.ts";
import { atHanded, atHungUp, atStoreFailure, atTaken } from "../workers/notify/descriptor-requests.ts";
import { atFollowFailure, atWatchdogExpired } from "../workers/notify/worker-report.ts";
import { lookDueAt } from "../workers/serving/accepting.ts";
import { probeIsGone, takeProbeResult } from "../workers/serving/probe-results.ts";
import { recycleByMemory } from "../workers/serving/recycling.ts";
import { someAreDue, takeTick } from "../workers/serving/serving.ts";
import { takeLook } from "../workers/serving/unaccepted.ts";
import { helperCommandIsGone } from "../workers/start/helper-commands.ts";
import { describeSpawnFailure } from "../workers/start/spawn-failure.ts";
import { LEAVING, leaveWorkers } from "./actions.ts";
import { advance } from "./apply-effects.ts";
import { takeNotification } from "./notifications.ts";

type EventOf<K extends EventKind> = Extract<KeeperEvent, { kind: K }>;
type Handled = Promise<void> | void;
type Handlers = { [K in EventKind]: (memory: Memory, event: EventOf<K>) => Handled };

/** Handles an event. Returns undefined if there is nothing to wait for. */
export const dispatch = (memory: Memory, event: KeeperEvent): Handled => {
  // Narrowed by the key: the table has for each kind the handler of that kind's events.
  const handler = ON_EVENT[event.kind] as (memory: Memory, event: KeeperEvent) => Handled;
  return handler(memory, event);
};

const decoder = new TextDecoder();

const onSignal = (memory: Memory, event: EventOf<"signalled">): Handled => {
  const name = signalName(event.signal);
  const signal = { name, now: event.deliveredAt };
  const isServing = memory.boot.stage === "serving";
  if (!isServing && ENDING.has(name)) return cancelStart(memory);
  if (name === LEAVING) return leaveWorkers(memory, signal);
  if (name === "SIGHUP") rememberReload(memory, signal.now);
  if (isServing && name === "SIGHUP") lookAtNames(memory);
  if (isServing) return memory.frontEnd.signals[name]?.(memory, signal);
};

const onTick = (memory: Memory, event: EventOf<"tick">): Handled => {
  if (someAreDue(memory, event.deliveredAt))
    return takeTick(memory, event.deliveredAt).then(() => lookWhetherAccepted(memory, event));
  advance(memory, { kind: "tick", now: event.deliveredAt });
  return lookWhetherAccepted(memory, event);
};

const lookWhetherAccepted = (memory: Memory, event: EventOf<"tick">): Handled => {
  const { deliveredAt } = event;
  if ((lookDueAt(memory) ?? Number.POSITIVE_INFINITY) > deliveredAt) return endUpgradeCheck(memory, event);
  return takeLook(memory, deliveredAt).then((end) => {
    if (end) endHeldAnswers(memory, end);
    return endUpgradeCheck(memory, event);
  });
};

const endUpgradeCheck = (memory: Memory, event: EventOf<"tick">): Handled => {
  const limit = memory.upgrade?.checkedBy ?? Number.POSITIVE_INFINITY;
  if (limit <= event.deliveredAt) return takeUpgradeEvent(memory, event);
};

/** Signals that count before the sockets are open, whatever they mean later. */
const ENDING: ReadonlySet<string> = new Set(["SIGTERM", "SIGINT", "SIGQUIT", LEAVING]);

/** For each kind of process: what its datagram, its end and its failure to start mean. */
type ByKind<K extends EventKind> = { readonly [P in ProcessKind]: (memory: Memory, event: EventOf<K>) => Handled };

const NOTHING = (): void => undefined;

const ON_DATAGRAM: ByKind<"datagram"> = {
  worker: takeNotification,
  probe: (memory, event) => takeProbeResult(memory, numberOf(event.worker), event.bytes, event),
  upgradeCheck: takeUpgradeEvent,
  measurement: (memory, event) => {
    const scope = takeMeasured(memory, numberOf(event.worker), event);
    if (scope === null) return;
    recycleByMemory(memory, event.deliveredAt);
    return measured(memory, event.deliveredAt, scope);
  },
  helperCommand: NOTHING,
};

const ON_EXIT: ByKind<"exited"> = {
  worker: (memory, event) =>
    advance(memory, {
      kind: "workerExited",
      now: event.deliveredAt,
      at: event.happenedAt,
      worker: event.worker,
      ending: endingOf(event.ending, event.status),
      tail: decoder.decode(event.tail),
    }),
  probe: (memory, event) => probeIsGone(memory, numberOf(event.worker), event),
  upgradeCheck: takeUpgradeEvent,
  measurement: (memory, event) => measurementIsGone(memory, numberOf(event.worker), event.deliveredAt),
  helperCommand: helperCommandIsGone,
};

const ON_SPAWN_FAILURE: ByKind<"spawnFailed"> = {
  worker: (memory, { worker, step, errno, deliveredAt }) => {
    const failed = findWorker(memory.core.workers, worker);
    if (!failed) return;
    const detail = describeSpawnFailure(memory, failed, { step, errno });
    const known = detail === undefined ? {} : { detail };
    advance(memory, { kind: "spawnFailed", now: deliveredAt, worker, step, errno, ...known });
  },
  probe: (memory, event) => probeIsGone(memory, numberOf(event.worker), event),
  upgradeCheck: takeUpgradeEvent,
  measurement: (memory, event) => measurementIsGone(memory, numberOf(event.worker), event.deliveredAt),
  helperCommand: helperCommandIsGone,
};

const endingOf = (ending: number, status: number): Ending => {
  if (ending === 0) return { kind: "exit", code: status };
  if (ending === 3) return { kind: "unknown" };
  return { kind: "signal", signal: signalName(status), core: ending === 2 };
};

const onClosed = (memory: Memory, event: EventOf<"closed">): void => {
  forgetConnection(memory, event.connection);
  for (const [request, pending] of memory.pending) {
    if (pending.connection !== event.connection) continue;
    // A client that named its request may come back for the answer.
    if (pending.kind === "rollout" && pending.clientId !== null) {
      rememberPending(memory, request, { ...pending, connection: 0 });
    } else {
      forgetPending(memory, request);
    }
  }
};

const onFailure = (memory: Memory, event: EventOf<"failed">): Handled => {
  if (atManagerFailure(memory, event)) return;
  if (memory.boot.stage !== "serving") return atFailure(memory, event);
  if (atNameFailure(memory, event)) return;
  if (STORING.has(event.command) && memory.store.handles > 0) {
    if (!atStoreFailure(memory, event)) warnOf(memory, event);
    return;
  }
  if (event.command === COMMANDS.statSocket.code) return queuesStayUnknown(memory, event.id);
  if (event.command === COMMANDS.adopt.code) return atAdoptFailure(memory, event);
  if (event.command === COMMANDS.followMain.code) return atFollowFailure(memory, event);
  // The client has hung up meanwhile; the event `closed` follows.
  if (event.command === COMMANDS.write.code || event.command === COMMANDS.follow.code) return;
  if (UPGRADE_COMMANDS.has(event.command)) return takeUpgradeEvent(memory, event);
  if (event.command === COMMANDS.signal.code && signalWasRefused(memory, event.id, describeErrno(event.errno))) return;
  warnOf(memory, event);
};

const warnOf = (memory: Memory, { step, errno }: EventOf<"failed">): void =>
  log(memory, "warning", `${step}: ${describeErrno(errno)}`);

/** Commands of the descriptor store. */
const STORING: ReadonlySet<number> = new Set([
  COMMANDS.keepDescriptor.code,
  COMMANDS.takeDescriptor.code,
  COMMANDS.storeHandle.code,
  COMMANDS.hand.code,
  COMMANDS.sendDatagram.code,
]);

const UPGRADE_COMMANDS: ReadonlySet<number> = new Set([
  COMMANDS.copyJournal.code,
  COMMANDS.setProgram.code,
  COMMANDS.replaceSupervisor.code,
  COMMANDS.execute.code,
]);

const onSetAside = (memory: Memory, event: EventOf<"setAside">): void => {
  recordEvent(memory, { kind: "messageSetAside", event: event.event, bytes: event.bytes.length }, event.deliveredAt);
  if (event.event !== MESSAGES.line.code || event.bytes.length < 8) return;
  // The bytes of a line event begin with its connection's number.
  const connection = Number(new DataView(event.bytes.buffer, event.bytes.byteOffset).getBigUint64(0, true));
  const message = "This request ended the supervisor three times and was set aside";
  endConnection(memory, connection, { code: ERROR_CODES.internal, message });
};

/** There are many addresses, so the limit is for all of them together. */
const onPenalty = (memory: Memory, { address, times, waitMs, deliveredAt }: EventOf<"penalized">): void => {
  const { suppressed, next } = limitRate(memory.penalties, deliveredAt, MOST_PENALTIES);
  memory.penalties = next;
  if (suppressed !== null) recordEvent(memory, { kind: "tokenRefused", address, times, waitMs }, deliveredAt);
};
const MOST_PENALTIES = { most: 10, perMs: 60_000 };

/** All methods of the control socket. */
const METHODS: MethodHandlers = { ...CONTROL_METHODS, upgrade };

const ON_EVENT: Handlers = {
  tick: onTick,
  signalled: onSignal,
  failed: onFailure,
  reached: (memory, event) => {
    signalsAreSent(memory, event.token);
    return atBarrier(memory, event);
  },
  supervisorDied: (memory, event) => {
    countDeath(memory);
    recordEvent(memory, { kind: "supervisorDied", ending: endingOf(event.ending, event.status) }, event.deliveredAt);
  },
  supervisorReplaced: takeUpgradeEvent,
  supervisorKept: takeUpgradeEvent,
  rehearsed: takeUpgradeEvent,
  setAside: onSetAside,
  journalFailed: (memory, { step, errno, deliveredAt }) => {
    restoreRunDirectory(memory, deliveredAt);
    rememberBoot(memory, { ...memory.boot, journal: "memory" });
    recordEvent(memory, { kind: "journalFailed", step, reason: describeErrno(errno) }, deliveredAt);
  },
  journalRestored: (memory, { afterMs, deliveredAt }) => {
    const { journal: _, ...boot } = memory.boot;
    rememberBoot(memory, boot);
    recordEvent(memory, { kind: "journalRestored", afterMs }, deliveredAt);
  },
  opened: (memory, event) => {
    memory.inodes.set(event.handle, event.inode);
    const stored = memory.stored.get(event.handle);
    if (!stored && memory.boot.stage === "serving" && memory.sockets.has(event.handle))
      return atBoundAgain(memory, event.handle, event.deliveredAt);
    if (!stored) return atOpened(memory, event);
    if (stored.place.kind === "taking") return atTaken(memory, stored, event.deliveredAt);
  },
  backlogRestored: atRestored,
  hungUp: atHungUp,
  handed: atHanded,
  socketStat: (memory, event) =>
    queueIsKnown(memory, event.request, event.handle, { queue: event.queue, limit: event.limit }),
  nameChanged: atNameChanged,
  relistened: (memory, event) => {
    const address = memory.sockets.get(event.handle)?.address ?? `socket ${event.handle}`;
    const failure = event.errno === 0 ? null : describeErrno(event.errno);
    recordEvent(memory, { kind: "listenerShutDown", address, failure }, event.deliveredAt);
    if (failure !== null) atShutDown(memory, event.handle);
  },
  spawned: (memory, { worker, pid, startTime, deliveredAt }) =>
    kindOf(worker) === "worker"
      ? advance(memory, { kind: "spawned", now: deliveredAt, worker, pid, startTime })
      : undefined,
  spawnFailed: (memory, event) => ON_SPAWN_FAILURE[kindOf(event.worker)](memory, event),
  exited: (memory, event) => ON_EXIT[kindOf(event.worker)](memory, event),
  mainExited: (memory, { deliveredAt, happenedAt, worker, ending, status, rest }) =>
    advance(memory, {
      ...{ kind: "mainExited", now: deliveredAt, at: happenedAt, worker, rest },
      ending: endingOf(ending, status),
    }),
  killed: (memory, { deliveredAt, worker, count, pids, commands }) => {
    const processes = pids.map((pid, index) => ({ pid, command: commands[index] ?? "" }));
    recordEvent(memory, { kind: "processesKilled", worker, count, processes }, deliveredAt);
  },
  moved: (memory, { deliveredAt, worker, pid, startTime }) =>
    advance(memory, { kind: "moved", now: deliveredAt, worker, pid, startTime }),
  datagram: (memory, event) => ON_DATAGRAM[kindOf(event.worker)](memory, event),
  watchdogExpired: atWatchdogExpired,
  line: (memory, event) => takeLine(memory, event, METHODS),
  penalized: onPenalty,
  closed: onClosed,
};
