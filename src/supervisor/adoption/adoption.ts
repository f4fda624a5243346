// Adoption of the service of a killed crank. The old journal stays unchanged until this crank has adopted everything and
// written it down: if this crank is killed meanwhile, the next one finds the same.

import { describeErrno } from "../../core/errno.ts";
import { isSameHistory, mergeHistories, numberAfter } from "../../core/model/history.ts";
import { asGiven, type GoodSpec } from "../../core/model/spec.ts";
import { allWorkers, findWorker } from "../../core/model/workers.ts";
import type { KeeperEvent } from "../../keeper/protocol.ts";
import { deployForNobody, redeploy } from "../control/requests.ts";
import { log } from "../events/log.ts";
import { recordEvent } from "../events/supervisor-event.ts";
import { AddressError, parseUri } from "../os/addresses.ts";
import { wayToOpen } from "../sockets/openings.ts";
import { isOpenAt, type Opening, openCommand } from "../sockets/sockets.ts";
import { completeDecision } from "../state/decision.ts";
import type { Adoption, OrphanedSocket } from "../state/parts/adoption.ts";
import { restoreEntries } from "../state/restore.ts";
import { saveAdoption, saveCore, savePending, saveReport } from "../state/save.ts";
import { respawnOf, type Settings } from "../state/settings.ts";
import type { Store } from "../state/store.ts";
import { reconcileProbes } from "../workers/serving/probe-results.ts";
import { adoptCommand } from "../workers/start/launch.ts";
import { lostDescriptors, type OrphanedService, readOrphanedService, serviceOfOrphans } from "./orphaned-service.ts";
import { keepCopy } from "./record-file.ts";

/** The adopted socket behind a handle. */
const orphanedSocket = (store: Store, handle: number): OrphanedSocket | undefined =>
  store.adoption?.sockets.find((socket) => socket.handle === handle);

/** Takes the socket from its next holder, or beside all of them; else returns a sentence that says why that failed. */
export const takeElsewhere = async (store: Store, opening: Opening, reason: string): Promise<string | null> => {
  const { adoption } = store;
  const socket = orphanedSocket(store, opening.handle);
  if (!adoption || !socket) return null;
  const { taken } = socket;
  const fails = taken ? [...socket.fails, `worker ${taken.worker} (pid ${taken.pid}): ${reason}`] : socket.fails;
  const next = { ...socket, fails, taken: null };
  saveAdoption(store, {
    ...adoption,
    sockets: adoption.sockets.map((orphaned) => (orphaned === socket ? next : orphaned)),
  });
  if (next.holders.length > 0) {
    store.batch.command((await wayToOpen(store, { ...opening, stored: null })).command);
    return null;
  }
  const why = `${opening.uri}: the socket cannot be taken from the workers that hold it: ${fails.join("; ")}`;
  if (!opening.options.reusePort)
    return `${why}; start crank with the permission for it (CAP_SYS_PTRACE), or stop those workers and start crank with -no-adopt`;
  log(store, "warning", `${why}; the address is bound again beside them (reuseport)`);
  store.batch.command(await openCommand(store.platform, { ...opening, address: fixedAddress(opening, socket) }));
  return null;
};

/** The address with the port that the socket has. */
const fixedAddress = (opening: Opening, socket: OrphanedSocket): Opening["address"] => {
  try {
    return parseUri(socket.address).address;
  } catch (error) {
    if (error instanceof AddressError) return opening.address;
    throw error;
  }
};

/** Whether the socket that was taken is the one that was meant. */
export const isOrphanedSocket = (
  store: Store,
  opening: Opening,
  event: Extract<KeeperEvent, { kind: "opened" }>,
): boolean => {
  const socket = orphanedSocket(store, opening.handle);
  return !socket || isOpenAt(fixedAddress(opening, socket), event);
};

/** Entries of the old journal that are kept; the rest (settings, sockets, connections) is this crank's own. */
const GOES_ON = new Set([
  "service",
  "decision",
  "generation",
  "worker",
  "counters",
  "finished",
  "notes",
  "told",
  "unstarted",
  "store",
  "said",
  "once",
]);

/**
 * The first step: notes what can be adopted, and from where. The old crank may have been killed in the middle of a
 * line.
 */
export const beginAdoption = (store: Store, adoption: Adoption): void => {
  saveAdoption(store, adoption);
  if (store.platform.endsInHalfLine(STDOUT)) store.batch.command({ kind: "log", sink: STDOUT, bytes: "\n" });
};
const STDOUT = 1;

/** Everything is open: takes charge of the workers, and continues where the other crank was. */
export const takeOver = async (
  store: Store,
  settings: Settings,
  bytes: Uint8Array | null,
  now: number,
): Promise<void> => {
  const { adoption } = store;
  if (!adoption) return;
  const orphaned = adoption.orphans
    ? serviceOfOrphans(store, adoption)
    : bytes === null
      ? null
      : readOrphanedService(store, bytes);
  if (orphaned === null || typeof orphaned === "string") return;
  const recorded = store.core.history;
  inherit(store, orphaned);
  await inheritHistory(store, settings, orphaned, recorded);
  const requests = keepRequests(store, orphaned);
  completeDecision(store, orphaned.consumed);
  for (const found of adoption.workers) {
    const worker = findWorker(store.core.workers, found.id);
    if (!worker) continue;
    const keeper = orphaned.keeperOf(worker.id);
    saveReport(store, worker.id, { ...store.reports.get(worker.id), keeper });
    store.batch.command(adoptCommand(store, { settings, before: orphaned.settings, keeper }, worker, found));
  }
  store.advance({
    kind: "adopted",
    now,
    requests,
    lost: adoption.lost.map(({ id }) => id),
    unsure: orphaned.unsure,
    respawn: respawnOf(settings),
    manner: settings.manner,
    isRecordOutdated: settings.recordPath !== null && !isSameHistory(store.core.history, recorded),
  });
  noteFound(store, adoption, now);
  for (const { id, rest } of adoption.workers)
    if (rest !== undefined)
      store.advance({
        ...{ kind: "mainExited", now, at: now, worker: id },
        ...{ ending: { kind: "unknown" }, rest: rest.length },
      });
  // Probes end with their keeper.
  reconcileProbes(store, new Set(store.unstarted), now);
  report(store, adoption, now);
  for (const loss of lostDescriptors(orphaned)) recordEvent(store, loss, now);
  saveAdoption(store, null);
  serveAgain(store, settings, now);
  // An unknown state gives way to the last good spec.
  const last = store.core.history.at(-1);
  if (adoption.orphans?.isUncertain === true && store.core.service.rollout === null && last)
    deployForNobody(store, last.spec, now);
};

const decoder = new TextDecoder();

const inherit = (store: Store, { entries }: OrphanedService): void => {
  const kept = [...entries].filter(([key]) => GOES_ON.has(key.split("/")[0] ?? ""));
  for (const [key, value] of kept) store.batch.putText(key, decoder.decode(value));
  restoreEntries(store, kept);
};

/** Merges both histories, and takes a next number that neither has used. */
const inheritHistory = async (
  store: Store,
  settings: Settings,
  orphaned: OrphanedService,
  recorded: readonly GoodSpec[],
): Promise<void> => {
  const path = settings.recordPath;
  const { history, leftOut } = mergeHistories(orphaned.core.history, recorded, orphaned.settings.recordPath !== path);
  const { service } = store.core;
  const nextGeneration = Math.max(service.nextGeneration, numberAfter(recorded));
  saveCore(store, { ...store.core, history, service: { ...service, nextGeneration } });
  if (path === null || leftOut.length === 0) return;
  const file = store.platform.readText(path);
  const copy = await keepCopy(store, path, file.kind === "text" ? file.text : "");
  const numbers = leftOut.map(({ generation }) => generation).join(", ");
  const why = `has other runs than the adopted service under these generations: ${numbers}`;
  log(store, "warning", `The record ${path} ${why}; they are ignored, and a copy of it is kept as ${copy}`);
};

/** The clients have lost their connections. One that named its request may come back for the answer. */
const keepRequests = (store: Store, orphaned: OrphanedService): number[] => {
  const kept: number[] = [];
  for (const [request, pending] of orphaned.store.pending) {
    if (pending.kind !== "rollout" || pending.clientId === null) continue;
    savePending(store, request, { ...pending, connection: 0 });
    kept.push(request);
  }
  return kept;
};

/**
 * The process of a start that was only intended was found: the adoption writes down which it is. If this crank is
 * killed before the keeper reports it, the next crank would otherwise look for a start of this one.
 */
const noteFound = (store: Store, { workers }: Adoption, now: number): void => {
  for (const { id, pid, startTime } of workers) {
    if (findWorker(store.core.workers, id)?.pid === null)
      store.advance({ kind: "spawned", now, worker: id, pid, startTime });
  }
};

const report = (store: Store, { pid, workers, lost, sockets }: Adoption, now: number): void => {
  for (const { uri, address, taken } of sockets) {
    if (taken === null) continue;
    const { worker, pid: holder, fd } = taken;
    recordEvent(store, { kind: "socketTaken", address, uri, worker, pid: holder, fd }, now);
  }
  for (const { id, reason } of lost)
    recordEvent(store, { kind: "workerNotAdopted", worker: id, pid: null, reason }, now);
  for (const { id, pid: process, losses } of workers) {
    for (const loss of losses)
      recordEvent(store, { kind: "adoptionLoss", worker: id, pid: process, loss, reason: null }, now);
  }
  const pids = workers.map((worker) => worker.pid);
  const afterMs = Math.max(0, now - store.facts.startedAt);
  recordEvent(store, { kind: "adopted", pid, pids, of: workers.length + lost.length, afterMs }, now);
};

/** Starts what should run as at any start, unless it runs or is being started. */
const serveAgain = (store: Store, settings: Settings, now: number): void => {
  const { service, workers, generations } = store.core;
  const { current, rollout } = service;
  const isServed = allWorkers(workers).some((worker) => worker.kind !== "stopping");
  const spec = current === null ? null : generations[current]?.spec;
  const wanted = settings.first;
  if (rollout !== null) return;
  if (wanted !== null && (!spec || JSON.stringify(wanted) !== JSON.stringify(asGiven(spec))))
    return deployForNobody(store, wanted, now);
  if (!isServed) redeploy(store, now);
};

/** The keeper failed at a step of adopting a worker. */
export const atAdoptFailure = (store: Store, event: Extract<KeeperEvent, { kind: "failed" }>): void => {
  const named = { worker: event.id, pid: findWorker(store.core.workers, event.id)?.pid ?? null };
  const reason = describeErrno(event.errno);
  const loss = LOSSES[event.step];
  if (loss !== undefined)
    return recordEvent(store, { kind: "adoptionLoss", ...named, loss, reason }, event.deliveredAt);
  recordEvent(store, { kind: "workerNotAdopted", ...named, reason: `${event.step}: ${reason}` }, event.deliveredAt);
  store.advance({
    kind: "workerExited",
    now: event.deliveredAt,
    at: event.happenedAt,
    worker: event.id,
    ending: { kind: "unknown" },
    tail: "",
  });
};

/** After these losses the worker is supervised all the same. */
const LOSSES: Readonly<Record<string, string>> = {
  output: "its output cannot be recovered",
  "notify-socket": "its NOTIFY_SOCKET cannot be bound again, so its notifications there are lost",
  "notify-descriptor": "its NOTIFY_FD cannot be recovered, so its notifications there are lost; NOTIFY_SOCKET works",
};
