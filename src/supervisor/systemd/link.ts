// The connection to the service manager: a datagram socket that the keeper holds and never waits for. After a failure
// everything is sent again after a pause: duplicates do no harm.

import { printable } from "../../control/printable.ts";
import { describeErrno } from "../../core/errno.ts";
import { byteLength } from "../../host/bytes.ts";
import { COMMANDS, type KeeperEvent } from "../../keeper/protocol.ts";
import { log } from "../events/log.ts";
import { MAX_UNIX_PATH_BYTES } from "../os/addresses.ts";
import { AF_UNIX, unixAddress } from "../os/sockaddr.ts";
import { NO_REPORT } from "../state/parts/service-manager.ts";
import { saveServiceManager } from "../state/save.ts";
import type { Store } from "../state/store.ts";

/** The keeper's handle of the socket to the manager. */
const HANDLE = 2;

/** Looks for a service manager and connects to it. The first action of a crank. */
export const meetServiceManager = (store: Store): void => {
  const { platform, facts } = store;
  const { NOTIFY_SOCKET: socket = "", JOURNAL_STREAM: journal } = platform.environment;
  const hasJournal = journal !== undefined && journal === platform.streamIdentity(STDERR);
  saveServiceManager(store, { hasJournal });
  if (socket === "") return;
  if (!/^[/@]./.test(socket) || byteLength(socket) > MAX_UNIX_PATH_BYTES)
    return log(
      store,
      "warning",
      `NOTIFY_SOCKET=${socket} is not a reachable unix socket; crank does not notify the service manager`,
    );
  saveServiceManager(store, { socket, heartbeatMs: heartbeatPeriod(store, facts.pid) });
  connect(store);
};

const STDERR = 2;

/** Half of the watchdog's period (sd_watchdog_enabled(3)). */
const heartbeatPeriod = ({ platform }: Store, pid: number): number | null => {
  const { WATCHDOG_USEC: allowed = "", WATCHDOG_PID: owner = "" } = platform.environment;
  if (!/^\d{1,15}$/.test(allowed) || Number(allowed) === 0 || (owner !== "" && owner !== String(pid))) return null;
  return Math.min(Math.max(1, Math.floor(Number(allowed) / 2000)), 2 ** 31);
};

const connect = (store: Store): void => {
  const { socket, heartbeatMs } = store.serviceManager;
  if (socket === null) return;
  store.batch.command({ kind: "openDatagram", handle: HANDLE, domain: AF_UNIX, address: unixAddress(socket) });
  if (heartbeatMs === null) return;
  store.batch.command({
    kind: "heartbeat",
    handle: HANDLE,
    periodMs: heartbeatMs,
    bytes: "WATCHDOG=1",
  });
};

/** Sends one datagram, with the descriptors of `handles`. */
export const sendToManager = (store: Store, assignments: readonly string[], handles: readonly number[] = []): void =>
  store.batch.command({
    kind: "sendDatagram",
    handle: HANDLE,
    worker: 0,
    bytes: assignments.join("\n"),
    handles,
  });

/** Sends the reason why crank ends now. */
export const reportEnd = (store: Store, sentence: string): void => {
  if (store.serviceManager.socket !== null) sendToManager(store, ["STOPPING=1", `STATUS=${printable(sentence)}`]);
};

/** When to retry a failed send, CLOCK_MONOTONIC ms; null: nothing has failed. */
export const managerDeadline = ({ boot, serviceManager }: Store): number | null =>
  boot.stage === "serving" ? (serviceManager.trouble?.retryAt ?? null) : null;

/** Opens a new socket for the retry. */
export const reconnect = (store: Store): void => {
  store.batch.command({ kind: "closeHandle", handle: HANDLE });
  connect(store);
  const { trouble } = store.serviceManager;
  saveServiceManager(store, { trouble: trouble && { ...trouble, retryAt: null } });
};

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
/** About five minutes. */
const MOST_FAILURES = 16;

/** Handles a failure of the manager's socket; false if it was about something else. It has no other consequences. */
export const atManagerFailure = (store: Store, event: Extract<KeeperEvent, { kind: "failed" }>): boolean => {
  if (event.id !== HANDLE || !ABOUT_THE_MANAGER.has(event.command)) return false;
  const { socket, trouble, reload } = store.serviceManager;
  // One batch may fail at several commands.
  if (socket === null || (trouble !== null && trouble.retryAt !== null)) return true;
  const now = event.deliveredAt;
  const before = trouble !== null && now - trouble.failedAt < 2 * LONGEST_PAUSE_MS ? trouble.failures : 0;
  const failures = before + 1;
  const failure = `NOTIFY_SOCKET=${socket}: ${event.step}: ${describeErrno(event.errno)}`;
  if (failures > MOST_FAILURES) {
    log(store, "error", `${failure}; crank continues without notifying the service manager`);
    saveServiceManager(store, { socket: null, trouble: null });
    return true;
  }
  if (failures === 1) log(store, "warning", `${failure}; crank continues, and retries`);
  const pause = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
  saveServiceManager(store, {
    trouble: { failures, failedAt: now, retryAt: now + pause },
    told: NO_REPORT,
    reload: reload && { ...reload, isOver: false },
  });
  return true;
};

const ABOUT_THE_MANAGER: ReadonlySet<number> = new Set([
  COMMANDS.openDatagram.code,
  COMMANDS.sendDatagram.code,
  COMMANDS.heartbeat.code,
]);
