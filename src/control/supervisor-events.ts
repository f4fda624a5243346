// Events that concern crank itself and what it holds, as opposed to workers and rollouts: their shapes, and one sentence for
// each, which the log and `crankctl events` share.
import { describeEnding, describeSockets } from "../core/describe.ts";
import type { Ending, SocketFinding } from "../core/model/worker.ts";

/** `more`: how many events of this kind were not reported since the last one. */
export type SupervisorEvent =
  | { readonly kind: "supervisorDied"; readonly ending: Ending }
  /** A keeper event (its code and length) crashed three supervisors, and is not delivered again. */
  | { readonly kind: "messageSetAside"; readonly event: number; readonly bytes: number }
  /** The run directory was removed. `failure`: why it could not be created again. */
  | { readonly kind: "runDirectoryGone"; readonly directory: string; readonly failure: string | null }
  | { readonly kind: "journalFailed"; readonly step: string; readonly reason: string }
  /** The journal is on disk again, after it was in memory for `afterMs`. */
  | { readonly kind: "journalRestored"; readonly afterMs: number }
  | { readonly kind: "recordFailed"; readonly path: string | null; readonly reason: string }
  /** The directory or program of a generation is gone: a worker is started from where the given path leads now. */
  | {
      readonly kind: "releaseGone";
      readonly generation: number;
      readonly worker: number;
      readonly gone: string;
      readonly cwd: string;
      readonly file: string;
    }
  /** The record is written again after a failure. */
  | { readonly kind: "recordRestored"; readonly path: string | null }
  /** A worker called shutdown(2) on a shared socket. `failure`: why it does not listen again; null: it does. */
  | { readonly kind: "listenerShutDown"; readonly address: string; readonly failure: string | null }
  /**
   * The file of a unix socket was removed or replaced. `bound`: a new socket is bound there. `pid`, `command`: the process that
   * listens there; 0 and null if unknown.
   */
  | {
      readonly kind: "socketName";
      readonly address: string;
      readonly state: "restored" | "taken" | "blocked" | "lost" | "bound";
      readonly pid: number;
      readonly command: string | null;
      readonly reason: string | null;
      readonly more: number;
    }
  /** `what` failed with a socket's file, and the consequence. */
  | {
      readonly kind: "socketNameFailed";
      readonly address: string;
      readonly what: string;
      readonly reason: string;
      readonly more: number;
    }
  /** A worker had shortened the accept queue; `generation` is the newest that runs. */
  | {
      readonly kind: "backlogRestored";
      readonly address: string;
      readonly generation: number;
      readonly before: number;
      readonly after: number;
    }
  /** A worker is ready by its front end's protocol but does not hold the sockets. */
  | {
      readonly kind: "socketsNotHeld";
      readonly worker: number;
      readonly pid: number | null;
      readonly sockets: SocketFinding;
    }
  /** Crank may not see whether a worker holds these sockets. Reported once for a generation. */
  | {
      readonly kind: "socketsUnseen";
      readonly worker: number;
      readonly pid: number | null;
      readonly sockets: readonly string[];
    }
  /**
   * A worker holds these sockets but listens elsewhere, and no process is seen to accept on them. `waiting`: connections that
   * wait there. Reported once for a generation.
   */
  | {
      readonly kind: "socketsUnaccepted";
      readonly worker: number;
      readonly pid: number | null;
      readonly sockets: readonly string[];
      readonly listens: readonly string[];
      readonly waiting: number;
    }
  /** `message`: the whole sentence. `by`: the signal that requested it; null for a request of a client. */
  | { readonly kind: "upgradeRefused"; readonly by: string | null; readonly message: string }
  | { readonly kind: "upgradeStarted"; readonly upgrade: number; readonly from: string; readonly path: string }
  | {
      readonly kind: "upgradeDone";
      readonly upgrade: number;
      readonly from: string;
      readonly to: string;
      readonly keeper: boolean;
    }
  | { readonly kind: "upgradeFailed"; readonly upgrade: number; readonly message: string }
  /** The service's socket was taken back from a worker of a killed crank. */
  | {
      readonly kind: "socketTaken";
      readonly address: string;
      readonly uri: string;
      readonly worker: number;
      readonly pid: number;
      readonly fd: number;
    }
  | {
      readonly kind: "workerNotAdopted";
      readonly worker: number;
      readonly pid: number | null;
      readonly reason: string;
    }
  /** The worker is adopted, but something of it is lost. */
  | {
      readonly kind: "adoptionLoss";
      readonly worker: number;
      readonly pid: number | null;
      readonly loss: string;
      readonly reason: string | null;
    }
  /** The workers of crank `pid` that were adopted, as `pids`, of `of` workers. */
  | {
      readonly kind: "adopted";
      readonly pid: number;
      readonly pids: readonly number[];
      readonly of: number;
      readonly afterMs: number;
    }
  /** Crank exits and leaves its workers to the next one. */
  | { readonly kind: "workersLeft"; readonly count: number }
  /** Processes that a worker left were killed; the first of them are named. `worker` 0: of earlier workers. */
  | {
      readonly kind: "processesKilled";
      readonly worker: number;
      readonly count: number;
      readonly processes: readonly { readonly pid: number; readonly command: string }[];
    }
  /** A worker reports an error (ERRNO=) that differs from the last one. */
  | {
      readonly kind: "workerErrno";
      readonly worker: number;
      readonly pid: number | null;
      readonly errno: number;
      readonly reason: string;
      /** How many were not reported before; missing from earlier versions. */
      readonly more?: number;
    }
  /** Process `pid` sent a notification for a worker to which it does not belong. `words`: its first part. */
  | {
      readonly kind: "wordsRefused";
      readonly worker: number;
      readonly pid: number;
      readonly uid: number;
      readonly words: string;
      readonly more: number;
    }
  /** A worker sent an unknown message on its notify socket or the control socket. Reported once for a generation. */
  | {
      readonly kind: "wordsNotUnderstood";
      readonly worker: number;
      readonly pid: number | null;
      readonly channel: "notify" | "control";
      readonly words: string;
    }
  /** How often clients of this address sent a wrong token; the next connection waits for `waitMs`. */
  | { readonly kind: "tokenRefused"; readonly address: string; readonly times: number; readonly waitMs: number }
  /** WATCHDOG=1 came from processes other than the worker. */
  | { readonly kind: "watchdogRefused"; readonly worker: number; readonly times: number; readonly pid: number }
  /** A worker stored descriptors for a later one. */
  | {
      readonly kind: "descriptorsStored";
      readonly worker: number;
      readonly pid: number | null;
      readonly name: string;
      readonly count: number;
    }
  /** A worker was started with stored descriptors, or got them on request. */
  | {
      readonly kind: "descriptorsGiven";
      readonly worker: number;
      readonly count: number;
      readonly way: "start" | "sent";
    }
  | DescriptorsLost;

export type DescriptorsLost =
  /** More descriptors came at once than could be taken. */
  | {
      readonly kind: "descriptorsLost";
      readonly cause: "overflow";
      readonly worker: number;
      readonly pid: number | null;
      readonly more: number;
    }
  /** The store is full. Reported once, until there is room again. */
  | {
      readonly kind: "descriptorsLost";
      readonly cause: "full";
      readonly worker: number;
      readonly pid: number | null;
      readonly reason: string;
    }
  | {
      readonly kind: "descriptorsLost";
      readonly cause: "failed";
      readonly worker: number;
      readonly name: string;
      readonly reason: string;
      readonly more: number;
    }
  /** The peer has hung up. `worker` stored it. */
  | {
      readonly kind: "descriptorsLost";
      readonly cause: "peer";
      readonly worker: number;
      readonly name: string;
      readonly more: number;
    }
  /** Crank `pid` was killed and held them: `surely`, or `perhaps`, when a worker that was started with copies fails. */
  | {
      readonly kind: "descriptorsLost";
      readonly cause: "killed";
      readonly pid: number;
      readonly extent: "surely" | "perhaps";
      readonly count: number;
      /** Of the first of them. */
      readonly names: readonly string[];
    };

type OfKind<K extends SupervisorEvent["kind"]> = Extract<SupervisorEvent, { kind: K }>;

/** Whether an event of this kind is one of these, and none of the core's. */
export const isSupervisorEvent = (event: { readonly kind: string }): event is SupervisorEvent =>
  Object.hasOwn(SENTENCES, event.kind);

/** One line for the log. What comes from elsewhere in it is as it came. */
export const describeSupervisorEvent = (event: SupervisorEvent): string => {
  // Narrowed by the key: the table has for each kind the function of that kind.
  const sentence = SENTENCES[event.kind] as (event: SupervisorEvent) => string;
  return sentence(event);
};

const SENTENCES: { readonly [K in SupervisorEvent["kind"]]: (event: OfKind<K>) => string } = {
  supervisorDied: ({ ending }) =>
    `The supervisor ended ${howIt(ending)} and was started again; the workers did not notice`,
  messageSetAside: ({ event, bytes }) =>
    `A message that ended three supervisors was set aside (event ${event}, ${bytes} bytes); please report it`,
  runDirectoryGone: ({ directory, failure }) =>
    failure === null
      ? `The directory ${directory} was gone, and was made again; leave it alone while crank runs`
      : `The directory ${directory} was gone: ${failure}`,
  journalFailed: ({ step, reason }) => `The journal cannot be written (${step}: ${reason}); it goes on in memory`,
  journalRestored: ({ afterMs }) => `The journal is on the disk again, after ${Math.ceil(afterMs / 1000)} s in memory`,
  recordFailed: ({ path, reason }) =>
    `The record ${path} could not be written: ${reason}; the deploy stands, and it is tried again`,
  recordRestored: ({ path }) => `The record ${path} is written again, with the current generation`,
  releaseGone: ({ generation, worker, gone, cwd, file }) =>
    `Generation ${generation} ran from ${gone}, which is gone; worker ${worker} is started from what was given, which leads to ${file} in ${cwd === "" ? "crank's directory" : cwd} now`,
  listenerShutDown: ({ address, failure }) =>
    failure === null
      ? `${address}: a worker shut this socket down for everybody; it listens again`
      : `${address}: a worker shut this socket down for everybody, and it cannot be made to listen again: ${failure}`,
  socketName: (name) => `${name.address}: ${describeName(name)}${suppressed(name.more)}`,
  socketNameFailed: ({ address, what, reason, more }) => `${address}: ${what}: ${reason}${suppressed(more)}`,
  backlogRestored: ({ address, generation, before, after }) =>
    `${address}: a worker of generation ${generation} let only ${before} connections wait; it is ${after} again. Let it listen with a backlog of ${after}: on Node, server.listen({ fd: 3 }, ${after})`,
  socketsNotHeld: (worker) => `${nameOf(worker)} is ready but ${describeSockets(worker.sockets)}`,
  socketsUnseen: (worker) =>
    `Whether w${nameOf(worker).slice(1)} holds ${worker.sockets.join(", ")} cannot be seen (a process of it has other rights than crank); it is taken for ready`,
  socketsUnaccepted: ({ sockets, listens, waiting, ...worker }) =>
    `${nameOf(worker)} holds ${sockets.join(", ")} but is not seen to accept connections there; it listens on ${listens.join(", ")}. ${describeWaiting(waiting)}; let it serve on the descriptor that it is given`,
  upgradeRefused: ({ by, message }) => (by === null ? message : `${by}: ${message}`),
  upgradeStarted: ({ from, path }) => `Upgrading from ${from} to what ${path} is`,
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
  workerErrno: ({ worker, reason, more }) => `Worker ${worker} reports a failure: ${reason}${suppressed(more ?? 0)}`,
  wordsRefused: ({ worker, pid, uid, words, more }) =>
    `Process ${pid} of user ${uid} said ${words} for worker ${worker}, to which it does not belong; ignored${suppressed(more)}`,
  wordsNotUnderstood: (event) =>
    `${nameOf(event)} said ${quote(event.words)} on ${event.channel === "notify" ? "its notify socket" : "the control socket"}, which means nothing to crank; ignored`,
  tokenRefused: ({ address, times, waitMs }) =>
    `${address} has shown a wrong token ${times === 1 ? "once" : `${times} times`}; its next connection waits for ${(waitMs / 1000).toFixed(1)} s`,
  watchdogRefused: ({ worker, times, pid }) =>
    `WATCHDOG=1 for worker ${worker} came from other processes alone (${times} times, process ${pid} last), which does not count`,
  descriptorsStored: (stored) => `${nameOf(stored)} left ${descriptors(stored.count)} (${quote(stored.name)})`,
  descriptorsGiven: ({ worker, count, way }) =>
    way === "start"
      ? `Worker ${worker} is started with ${count} stored descriptors`
      : `Worker ${worker} was sent ${count} stored descriptors`,
  descriptorsLost: (lost) => describeLoss(lost),
};

const describeName = ({ state, pid, command, reason }: OfKind<"socketName">): string => {
  switch (state) {
    case "restored":
      return "the socket's file was gone, and was put back";
    case "taken":
      return `another process listens at this path now${pid === 0 ? "" : ` (pid ${pid}${command === null ? "" : `, ${command}`})`}; crank's socket is not reached by it. Stop that process, and crank takes the path back`;
    case "blocked":
      return `something that is not a socket has this path now (${reason ?? "unknown"}); crank's socket is not reached by it. Remove it, and crank takes the path back`;
    case "lost":
      return `the socket's file is gone (${reason ?? "unknown"}); a new socket is to be bound there`;
    case "bound":
      return "a new socket is bound there; workers that have the one before are replaced";
  }
};

const describeKilled = ({ worker, count, processes }: OfKind<"processesKilled">): string => {
  const whose = worker === 0 ? "earlier workers" : `worker ${worker}`;
  const names = processes.map(({ pid, command }) => `${pid} ${JSON.stringify(command)}`);
  const all = [...names, ...(count > names.length ? ["…"] : [])].join(", ");
  return `Killed ${count === 1 ? "1 process" : `${count} processes`} that ${whose} had left: ${all}`;
};

const describeLoss = (lost: DescriptorsLost): string => {
  switch (lost.cause) {
    case "overflow":
      return `${nameOf(lost)} sent more descriptors at once than could be taken; some are lost${suppressed(lost.more)}`;
    case "full":
      return `${nameOf(lost)} sent a descriptor to be stored, but ${lost.reason}; what more is sent is closed`;
    case "failed":
      return `The descriptor ${quote(lost.name)} of worker ${lost.worker} is not stored: ${lost.reason}${suppressed(lost.more)}`;
    case "peer":
      return `The stored descriptor ${quote(lost.name)} has lost its peer and is dropped${suppressed(lost.more)}`;
    case "killed":
      return lost.extent === "surely"
        ? `Lost with crank ${lost.pid}, which alone held them: ${named(lost)}; their connections are closed`
        : `Lost if the worker that has them fails before it is ready, for crank ${lost.pid} held copies: ${named(lost)}`;
  }
};

const describeWaiting = (waiting: number): string => {
  if (waiting === 0) return "Clients would wait";
  return waiting === 1 ? "1 connection waits" : `${waiting} connections wait`;
};

const howIt = (ending: Ending): string => {
  if (ending.kind === "exit") return `with status ${ending.code}`;
  return ending.kind === "signal" ? `of ${ending.signal}` : describeEnding(ending);
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
