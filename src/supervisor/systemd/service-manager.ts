// Reports to the service manager (sd_notify(3)): that crank is ready, reloading or stopping, its status, and which
// sockets to keep. What was sent is journalled in the same batch, so each supervisor sends only what is new.

import { printable } from "../../control/printable.ts";
import { describeServiceEvent } from "../../core/describe.ts";
import type { ServiceEvent } from "../../core/model/effects.ts";
import { isInFlight } from "../../core/pool/rollout.ts";
import { phaseMayLastUntil, statusLine } from "../../core/service-status.ts";
import { bindHandle } from "../state/handles.ts";
import type { ManagerReport } from "../state/parts/service-manager.ts";
import { saveServiceManager } from "../state/save.ts";
import type { Store } from "../state/store.ts";
import { reconnect, sendToManager } from "./link.ts";
import { storeName } from "./passed-sockets.ts";

/** Sends what is new since the last report. */
export const reportToManager = (store: Store): void => {
  const { serviceManager, boot } = store;
  if (serviceManager.socket === null || boot.stage !== "serving") return;
  const now = store.platform.monotonicNow();
  const retryAt = serviceManager.trouble?.retryAt ?? null;
  if (retryAt !== null && now < retryAt) return;
  if (retryAt !== null) reconnect(store);
  const { told: sent } = store.serviceManager;
  const next: ManagerReport = {
    ...sent,
    ...storeSockets(store),
    ...sendState(store),
    mayLastUntil: extend(store, now),
  };
  if (JSON.stringify(next) !== JSON.stringify(sent)) saveServiceManager(store, { told: next });
};

/** Sends the present state: one datagram for a change, after those of a reload. */
const sendState = (store: Store): Omit<ManagerReport, "stored" | "mayLastUntil"> => {
  const { core, serviceManager } = store;
  const { told: sent, reload, lastFailure } = serviceManager;
  const isStopping = core.service.phase.kind === "stopping";
  // Adopted workers count as ready: a start that finds them has nothing to wait for.
  const isReady = sent.isReady || (!isStopping && (!isInFlight(core.service) || core.service.current !== null));
  const status = statusLine(core, lastFailure);
  const assignments: string[] = [];
  let reloadAt = sent.reloadAt;
  if (reload && !reload.isOver) {
    if (reloadAt !== reload.at) sendToManager(store, ["RELOADING=1", `MONOTONIC_USEC=${microseconds(reload.at)}`]);
    reloadAt = reload.at;
    if (!isReloading(store)) {
      reloadAt = null;
      saveServiceManager(store, { reload: { ...reload, isOver: true } });
      assignments.push("READY=1");
    }
  }
  if (isReady && !sent.isReady) assignments.push("READY=1", ...mainPid(store.facts.pid));
  if (isStopping && !sent.isStopping) assignments.push("STOPPING=1");
  if (status !== sent.status) assignments.push(`STATUS=${status}`);
  if (assignments.length > 0) sendToManager(store, [...new Set(assignments)]);
  return { isReady, isStopping, reloadAt, status };
};

/** In a container, the manager of the host knows the container's first process by another pid. */
const mainPid = (pid: number): string[] => (pid === 1 ? [] : [`MAINPID=${pid}`]);

/** A reload ends when nothing is being rolled out, or never will be again. */
const isReloading = ({ core }: Store): boolean =>
  core.service.phase.kind === "running" && (isInFlight(core.service) || core.service.queuedReload !== null);

/** Rounded up: systemd ignores times before its request, whose time it knows in microseconds. */
const microseconds = (ms: number): number => (Math.floor(ms) + 1) * 1000;

/** Puts the sockets that crank bound into the manager's store, for the next start. */
const storeSockets = (store: Store): Pick<ManagerReport, "stored"> => {
  const { settings, serviceManager, core } = store;
  const { phase } = core.service;
  const { stored } = serviceManager.told;
  const own = (settings?.binds ?? []).map((bind, index) => ({ name: storeName(bind), handle: bindHandle(index) }));
  const names = own.flatMap(({ name }) => name ?? []);
  if (phase.kind === "stopping") {
    // On request crank ends permanently, and new clients are refused at once. After a failure the manager restarts
    // crank.
    if (phase.ended || phase.status !== 0 || serviceManager.isRestarting || stored?.length === 0) return { stored };
    for (const name of new Set(names)) sendToManager(store, ["FDSTOREREMOVE=1", `FDNAME=${name}`]);
    return { stored: [] };
  }
  if (stored !== null) return { stored };
  const { discarded } = serviceManager;
  for (const name of discarded) sendToManager(store, ["FDSTOREREMOVE=1", `FDNAME=${name}`]);
  for (const { name, handle } of own) {
    // FDPOLL=0: the manager keeps the socket even if a worker shuts it down.
    if (name !== null && store.sockets.has(handle))
      sendToManager(store, ["FDSTORE=1", `FDNAME=${name}`, "FDPOLL=0"], [handle]);
  }
  return { stored: names };
};

/** A phase may last as long as the specs allow, and this much longer, whatever the unit's timeouts are. */
const SPARE_MS = 15_000;
/** Smaller changes of the time are not sent. */
const MIN_CHANGE_MS = 5_000;

const extend = (store: Store, now: number): number | null => {
  const { told: sent, reload } = store.serviceManager;
  const { phase } = store.core.service;
  const isStopping = phase.kind === "stopping" && !phase.ended;
  const isWaitedFor = isStopping || !sent.isReady || (reload !== null && !reload.isOver);
  const until = isWaitedFor ? phaseMayLastUntil(store.core) : null;
  if (until === null) return null;
  // Each phase has its own timeout.
  const known = isStopping && !sent.isStopping ? null : sent.mayLastUntil;
  if (known !== null && until < known + MIN_CHANGE_MS) return known;
  sendToManager(store, [`EXTEND_TIMEOUT_USEC=${microseconds(Math.max(0, until - now) + SPARE_MS)}`]);
  return until;
};

/** The manager requests a reload by SIGHUP, and waits for its begin and end to be reported. */
export const saveReload = (store: Store, at: number): void => {
  if (store.serviceManager.socket !== null) saveServiceManager(store, { reload: { at, isOver: false } });
};

/** Keeps the last failure, to be shown until a deploy succeeds. */
export const saveLastFailure = (store: Store, event: ServiceEvent): void => {
  const isFailure =
    event.kind === "workerFailed" ||
    event.kind === "rolloutRolledBack" ||
    (event.kind === "workerGone" && !event.expected);
  if (isFailure) saveServiceManager(store, { lastFailure: printable(describeServiceEvent(event)) });
  else if (event.kind === "rolloutComplete" && store.serviceManager.lastFailure !== null)
    saveServiceManager(store, { lastFailure: null });
};

/** Notes that the manager will start crank again as soon as this one has ended. */
export const saveRestart = (store: Store): void => saveServiceManager(store, { isRestarting: true });
