// One sentence for each event that concerns crank itself, which the log and `crankctl events` share.

import { describeEnding, describeSockets } from "../core/describe.ts";
import type { DescriptorsLost, SupervisorEvent } from "./supervisor-events.ts";

type OfKind<K extends SupervisorEvent["kind"]> = Extract<SupervisorEvent, { kind: K }>;

/** Whether an event of this kind is one of these, not one of the core. */
export const isSupervisorEvent = (event: { readonly kind: string }): event is SupervisorEvent =>
  Object.hasOwn(SENTENCES, event.kind);

/** One line for the log. Text from other sources is not escaped. */
export const describeSupervisorEvent = (event: SupervisorEvent): string => {
  // Narrowed by the key: the table has for each kind the function of that kind.
  const sentence = SENTENCES[event.kind] as (event: SupervisorEvent) => string;
  return sentence(event);
};

const SENTENCES: { readonly [K in SupervisorEvent["kind"]]: (event: OfKind<K>) => string } = {
  supervisorDied: ({ ending }) =>
    `The supervisor ${describeEnding(ending)}; it was restarted, and the workers are not affected`,
  messageSetAside: ({ event, bytes }) =>
    `Three supervisors crashed on the same message, which is skipped (event ${event}, ${bytes} bytes); please report this`,
  runDirectoryGone: ({ directory, failure }) =>
    failure === null
      ? `The directory ${directory} was removed, and was created again; do not remove it while crank runs`
      : `The directory ${directory} was removed: ${failure}`,
  journalFailed: ({ step, reason }) => `The journal cannot be written (${step}: ${reason}); it continues in memory`,
  journalRestored: ({ afterMs }) => `The journal is on disk again, after ${Math.ceil(afterMs / 1000)} s in memory`,
  recordFailed: ({ path, reason }) =>
    `The record ${path} could not be written: ${reason}; the deploy is complete, and crank retries`,
  recordRestored: ({ path }) => `The record ${path} was written again, with the current generation`,
  releaseGone: ({ generation, worker, gone, cwd, file }) =>
    `Generation ${generation} ran from ${gone}, which was removed; worker ${worker} is started from the path as given, which now leads to ${file} in ${cwd === "" ? "crank's directory" : cwd}`,
  listenerShutDown: ({ address, failure }) =>
    failure === null
      ? `${address}: a worker shut this socket down for all workers; it listens again`
      : `${address}: a worker shut this socket down for all workers, and it cannot listen again: ${failure}`,
  socketName: (name) => `${name.address}: ${describeName(name)}${suppressed(name.more)}`,
  socketNameFailed: ({ address, what, reason, more }) => `${address}: ${what}: ${reason}${suppressed(more)}`,
  backlogRestored: ({ address, generation, before, after }) =>
    `${address}: a worker of generation ${generation} had set the backlog to ${before}; it is ${after} again. Make it listen with a backlog of ${after}: on Node, server.listen({ fd: 3 }, ${after})`,
  socketsNotHeld: (worker) => `${nameOf(worker)} is ready but ${describeSockets(worker.sockets)}`,
  socketsUnseen: (worker) =>
    `${nameOf(worker)} is accepted as ready, but crank cannot see whether it holds ${worker.sockets.join(", ")}: one of its processes has other privileges than crank`,
  socketsUnaccepted: ({ sockets, listens, waiting, ...worker }) =>
    `${nameOf(worker)} holds ${sockets.join(", ")} but is not seen to accept connections there; it listens on ${listens.join(", ")}. ${describeWaiting(waiting)}; make it serve on the inherited descriptor`,
  upgradeRefused: ({ by, message }) => (by === null ? message : `${by}: ${message}`),
  upgradeStarted: ({ from, path }) => `Upgrading from ${from} to the program at ${path}`,
  upgradeDone: ({ from, to, keeper }) =>
    `Upgraded from ${from} to ${to}, ${keeper ? "supervisor and keeper" : "the supervisor"}`,
  upgradeFailed: ({ message }) => message,
  socketTaken: ({ address, uri, worker, pid, fd }) =>
    `Took ${address} (${uri}) back from worker ${worker} (pid ${pid}), descriptor ${fd}`,
  workerNotAdopted: (worker) => `${nameOf(worker)} cannot be adopted: ${worker.reason}`,
  adoptionLoss: (worker) =>
    worker.reason === null ? `${nameOf(worker)} ${worker.loss}` : `${nameOf(worker)}: ${worker.loss}: ${worker.reason}`,
  adopted: ({ pid, pids, of, afterMs }) =>
    `Adopted ${pids.length} of the ${of === 1 ? "1 worker" : `${of} workers`} that crank ${pid} left (pid ${pids.join(", ")}), ${afterMs} ms after the start`,
  workersLeft: ({ count }) => `Leaving ${count === 1 ? "1 worker" : `${count} workers`} to the next crank`,
  processesKilled: (killed) => describeKilled(killed),
  workerErrno: ({ worker, reason, more }) => `Worker ${worker} reports an error: ${reason}${suppressed(more ?? 0)}`,
  wordsRefused: ({ worker, pid, uid, words, more }) =>
    `Process ${pid} of user ${uid} sent ${words} for worker ${worker}, to which it does not belong; ignored${suppressed(more)}`,
  wordsNotUnderstood: (event) =>
    `${nameOf(event)} sent ${quote(event.words)} on ${event.channel === "notify" ? "its notify socket" : "the control socket"}, which crank does not know; ignored`,
  tokenRefused: ({ address, times, waitMs }) =>
    `${address} sent a wrong token ${times === 1 ? "once" : `${times} times`}; its next connection is delayed by ${(waitMs / 1000).toFixed(1)} s`,
  watchdogRefused: ({ worker, times, pid }) =>
    `WATCHDOG=1 for worker ${worker} came only from other processes (${times} times, process ${pid} last); ignored`,
  descriptorsStored: (stored) => `${nameOf(stored)} stored ${descriptors(stored.count)} (${quote(stored.name)})`,
  descriptorsGiven: ({ worker, count, way }) =>
    way === "start"
      ? `Worker ${worker} is started with ${count} stored descriptors`
      : `Worker ${worker} was sent ${count} stored descriptors`,
  descriptorsLost: (lost) => describeLoss(lost),
};

const describeName = ({ state, pid, command, reason }: OfKind<"socketName">): string => {
  switch (state) {
    case "restored":
      return "the socket's file was removed, and was restored";
    case "taken":
      return `another process listens at this path now${pid === 0 ? "" : ` (pid ${pid}${command === null ? "" : `, ${command}`})`}; clients do not reach crank's socket. Stop that process; crank then takes the path back`;
    case "blocked":
      return `a file that is not a socket has this path now (${reason ?? "unknown"}); clients do not reach crank's socket. Remove the file; crank then takes the path back`;
    case "lost":
      return `the socket's file was removed, and cannot be restored (${reason ?? "unknown"}); a new socket will be bound there`;
    case "bound":
      return "a new socket is bound there; workers with the old socket are replaced";
  }
};

const describeKilled = ({ worker, count, processes }: OfKind<"processesKilled">): string => {
  const whose = worker === 0 ? "earlier workers" : `worker ${worker}`;
  const names = processes.map(({ pid, command }) => `${pid} ${JSON.stringify(command)}`);
  const all = [...names, ...(count > names.length ? ["…"] : [])].join(", ");
  return `Killed ${count === 1 ? "1 process" : `${count} processes`} that ${whose} left: ${all}`;
};

const describeLoss = (lost: DescriptorsLost): string => {
  switch (lost.cause) {
    case "overflow":
      return `${nameOf(lost)} sent more descriptors at once than crank can take; some are lost${suppressed(lost.more)}`;
    case "full":
      return `${nameOf(lost)} sent a descriptor to be stored, but ${lost.reason}; further descriptors are closed`;
    case "failed":
      return `The descriptor ${quote(lost.name)} of worker ${lost.worker} is not stored: ${lost.reason}${suppressed(lost.more)}`;
    case "peer":
      return `The stored descriptor ${quote(lost.name)} has lost its peer and is dropped${suppressed(lost.more)}`;
    case "killed":
      return lost.extent === "surely"
        ? `Lost with crank ${lost.pid}, which held the only copies: ${named(lost)}; their connections are closed`
        : `Lost if the worker that has them fails before it is ready, because crank ${lost.pid} held the other copies: ${named(lost)}`;
  }
};

const describeWaiting = (waiting: number): string => {
  if (waiting === 0) return "Clients would wait";
  return waiting === 1 ? "1 connection waits" : `${waiting} connections wait`;
};

const nameOf = ({ worker, pid }: { readonly worker: number; readonly pid: number | null }): string =>
  `Worker ${worker}${pid === null ? "" : ` (pid ${pid})`}`;

const suppressed = (more: number): string => (more === 0 ? "" : ` (${more} more like it were not reported)`);

const quote = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 59)}…` : text);

const descriptors = (count: number): string => (count === 1 ? "1 descriptor" : `${count} descriptors`);

const named = ({ count, names }: { readonly count: number; readonly names: readonly string[] }): string => {
  const all = [...names, ...(count > names.length ? ["…"] : [])].join(", ");
  return `${count === 1 ? "1 stored descriptor" : `${count} stored descriptors`} (${all})`;
};
