// What the service manager is told and when (sd_notify(3)): that crank is ready, reloading or stopping, its status, and
// which sockets to keep. What was told is journalled in the same batch, so each supervisor tells only what is new.

import { printable } from "../../control/printable.ts";
import { describeServiceEvent } from "../../core/describe.ts";
import type { ServiceEvent } from "../../core/model/effects.ts";
import { isInFlight } from "../../core/pool/rollout.ts";
import { phaseMayLastUntil, statusLine } from "../../core/service-status.ts";
import { bindHandle } from "../state/handles.ts";
import type { Told } from "../state/parts/service-manager.ts";
import { rememberManager } from "../state/remember.ts";
import type { Memory } from "../state/store.ts";
import { reconnect, sendToManager } from "./link.ts";
import { storeName } from "./passed-sockets.ts";

/** Tells the manager what is new since the last time. */
export const tellServiceManager = (memory: Memory): void => {
  const { serviceManager, boot } = memory;
  if (serviceManager.socket === null || boot.stage !== "serving") return;
  const now = memory.platform.monotonicNow();
  const retryAt = serviceManager.trouble?.retryAt ?? null;
  if (retryAt !== null && now < retryAt) return;
  if (retryAt !== null) reconnect(memory);
  const { told } = memory.serviceManager;
  const next: Told = { ...told, ...store(memory), ...tellState(memory), mayLastUntil: extend(memory, now) };
  if (JSON.stringify(next) !== JSON.stringify(told)) rememberManager(memory, { told: next });
};

/** Sends the present state: one datagram for a change, after those of a reload. */
const tellState = (memory: Memory): Omit<Told, "stored" | "mayLastUntil"> => {
  const { core, serviceManager } = memory;
  const { told, reload, lastFailure } = serviceManager;
  const isStopping = core.service.phase.kind === "stopping";
  // Adopted workers count as ready: a start that finds them has nothing to wait for.
  const isReady = told.isReady || (!isStopping && (!isInFlight(core.service) || core.service.current !== null));
  const status = statusLine(core, lastFailure);
  const assignments: string[] = [];
  let reloadAt = told.reloadAt;
  if (reload && !reload.isOver) {
    if (reloadAt !== reload.at) sendToManager(memory, ["RELOADING=1", `MONOTONIC_USEC=${microseconds(reload.at)}`]);
    reloadAt = reload.at;
    if (!isReloading(memory)) {
      reloadAt = null;
      rememberManager(memory, { reload: { ...reload, isOver: true } });
      assignments.push("READY=1");
    }
  }
  if (isReady && !told.isReady) assignments.push("READY=1", ...mainPid(memory.facts.pid));
  if (isStopping && !told.isStopping) assignments.push("STOPPING=1");
  if (status !== told.status) assignments.push(`STATUS=${status}`);
  if (assignments.length > 0) sendToManager(memory, [...new Set(assignments)]);
  return { isReady, isStopping, reloadAt, status };
};

/** In a container, the manager of the host knows the container's first process by another pid. */
const mainPid = (pid: number): string[] => (pid === 1 ? [] : [`MAINPID=${pid}`]);

/** A reload ends when nothing is being rolled out, or never will be again. */
const isReloading = ({ core }: Memory): boolean =>
  core.service.phase.kind === "running" && (isInFlight(core.service) || core.service.queuedReload !== null);

/** Rounded up: systemd ignores times before its request, whose time it knows in microseconds. */
const microseconds = (ms: number): number => (Math.floor(ms) + 1) * 1000;

/** Puts the sockets that crank bound into the manager's store, for the next start. */
const store = (memory: Memory): Pick<Told, "stored"> => {
  const { settings, serviceManager, core } = memory;
  const { phase } = core.service;
  const { stored } = serviceManager.told;
  const own = (settings?.binds ?? []).map((bind, index) => ({ name: storeName(bind), handle: bindHandle(index) }));
  const names = own.flatMap(({ name }) => name ?? []);
  if (phase.kind === "stopping") {
    // On request crank ends for good, and new clients are to be refused at once. After a failure the manager restarts
    // crank.
    if (phase.ended || phase.status !== 0 || serviceManager.isRestarting || stored?.length === 0) return { stored };
    for (const name of new Set(names)) sendToManager(memory, ["FDSTOREREMOVE=1", `FDNAME=${name}`]);
    return { stored: [] };
  }
  if (stored !== null) return { stored };
  const { discarded } = serviceManager;
  for (const name of discarded) sendToManager(memory, ["FDSTOREREMOVE=1", `FDNAME=${name}`]);
  for (const { name, handle } of own) {
    // FDPOLL=0: the manager keeps the socket even if a worker shuts it down.
    if (name !== null && memory.sockets.has(handle))
      sendToManager(memory, ["FDSTORE=1", `FDNAME=${name}`, "FDPOLL=0"], [handle]);
  }
  return { stored: names };
};

/** A phase may last as long as the specs allow, and this much longer, whatever the unit's timeouts are. */
const SPARE_MS = 15_000;
/** Smaller changes of the time are not sent. */
const WORTH_TELLING_MS = 5_000;

const extend = (memory: Memory, now: number): number | null => {
  const { told, reload } = memory.serviceManager;
  const { phase } = memory.core.service;
  const isStopping = phase.kind === "stopping" && !phase.ended;
  const isWaitedFor = isStopping || !told.isReady || (reload !== null && !reload.isOver);
  const until = isWaitedFor ? phaseMayLastUntil(memory.core) : null;
  if (until === null) return null;
  // Each phase has its own timeout.
  const known = isStopping && !told.isStopping ? null : told.mayLastUntil;
  if (known !== null && until < known + WORTH_TELLING_MS) return known;
  sendToManager(memory, [`EXTEND_TIMEOUT_USEC=${microseconds(Math.max(0, until - now) + SPARE_MS)}`]);
  return until;
};

/** The manager requests a reload by SIGHUP, and waits for its begin and end to be reported. */
export const rememberReload = (memory: Memory, at: number): void => {
  if (memory.serviceManager.socket !== null) rememberManager(memory, { reload: { at, isOver: false } });
};

/** Keeps the last failure, to be shown until a deploy succeeds. */
export const rememberLastFailure = (memory: Memory, event: ServiceEvent): void => {
  if (memory.serviceManager.socket === null) return;
  const isFailure =
    event.kind === "workerFailed" ||
    event.kind === "rolloutRolledBack" ||
    (event.kind === "workerGone" && !event.expected);
  if (isFailure) rememberManager(memory, { lastFailure: printable(describeServiceEvent(event)) });
  else if (event.kind === "rolloutComplete" && memory.serviceManager.lastFailure !== null)
    rememberManager(memory, { lastFailure: null });
};

/** Notes that the manager will start crank again as soon as this one has ended. */
export const rememberRestart = (memory: Memory): void => rememberManager(memory, { isRestarting: true });
