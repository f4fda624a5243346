// Sentences for people: endings, failures, refusals and events. Of a worker's own texts they contain only its status,
// which was escaped when it was received.

import { describeErrno } from "./errno.ts";
import type { Refusal, ServiceEvent } from "./model/effects.ts";
import type { Ending, Eviction, Failure, SocketFinding } from "./model/worker.ts";

/** How a process ended, after its name: `exited with status 1`. */
export const describeEnding = (ending: Ending): string => {
  switch (ending.kind) {
    case "exit":
      return `exited with status ${ending.code}`;
    case "signal":
      return `was killed by ${ending.signal}${ending.core ? " and dumped core" : ""}`;
    case "unknown":
      return "exited with an unknown status";
  }
};

/** Why a deploy failed, as `crankctl run -wait` prints it: in the words of the original program where it has any. */
export const describeFailure = (failure: Failure): string => {
  if (failure.kind === "exited" && failure.ending.kind === "exit") return `Exited with code: ${failure.ending.code}`;
  return `Failed to start: ${describeReason(failure)}`;
};

/** Why the core refuses a request, in the words of the original program where it has any. */
export const describeRefusal = (refusal: Refusal): string => {
  switch (refusal.kind) {
    case "rolloutInFlight":
      return "New process is already being started";
    case "shuttingDown":
      return "Manager is shutting down";
    case "wrongPid":
      return `Passed pid (${refusal.passed}) doesn't match the current pid (${refusal.current})`;
    case "nothingToScale":
      return "No workers to scale; deploy a command first";
    case "outOfRange":
      return `${refusal.instances} workers are out of range; give a number from 0 to 1000`;
  }
};

/** One line for the log. */
export const describeServiceEvent = (event: ServiceEvent): string => {
  switch (event.kind) {
    case "workerStarting":
      return `Starting ${worker(event)}`;
    case "workerStarted":
      return `Started ${worker(event)}`;
    case "workerReady":
      return `${capital(worker(event))} is ready after ${seconds(event.afterMs)}`;
    case "workerStopping":
      return `Stopping ${worker(event)} with ${event.signal}`;
    case "workerGone":
      return `${capital(worker(event))} ${describeEnding(event.ending)}${event.expected ? "" : " (unexpected)"}`;
    case "workerFailed":
      return `${capital(worker(event))} failed: ${describeReason(event.failure)}${attempts(event.attemptsLeft)}`;
    case "workerStatus":
      return `${capital(worker(event))} reports: ${event.status}`;
    case "workerLeaving":
      return `${capital(worker(event))} is exiting without a stop signal`;
    case "workerMainGone":
      return `The main process of ${worker(event)} ${describeEnding(event.ending)}${event.expected ? "" : " (unexpected)"}; ${describeRest(event)}`;
    case "workerMoved":
      return `The main process of worker ${event.worker} is now ${event.pid}, before ${event.before}`;
    case "workerDismissed":
      return `${capital(worker(event))} is replaced: ${describeEviction(event.reason)}`;
    case "placeGivenUp":
      return `${capital(worker(event))} has no attempts left and is not replaced; the service now has ${count(event.left, "worker")}`;
    case "rolloutStarted":
      return `Rolling out generation ${event.generation}, ${count(event.instances, "worker")}`;
    case "rolloutWaiting":
      return event.reason.kind === "pause"
        ? `The rollout of generation ${event.generation} pauses for ${seconds(event.reason.afterMs)} before the next replacement`
        : `The rollout of generation ${event.generation} waits for a drain to end: at most ${count(event.reason.limit, "worker")} may drain at once`;
    case "rolloutGoesOn":
      return `The rollout of generation ${event.generation} continues`;
    case "rolloutComplete":
      return `Rolled out generation ${event.generation} in ${seconds(event.tookMs)}`;
    case "rolloutRolledBack":
      return `Generation ${event.generation} was rolled back: ${describeReason(event.failure)}${describeServing(event.current)}`;
    case "respawnScheduled":
      return `The next worker starts in ${seconds(event.inMs)}`;
    case "scaled":
      return `Scaling from ${event.from} to ${count(event.to, "worker")}`;
    case "shutdownStarted":
      return "Shutting down";
  }
};

/** The step of a start that failed, and why. */
export const describeStep = ({ step, errno }: { readonly step: string; readonly errno: number }): string =>
  `${step}: ${describeErrno(errno)}`;

/** Which generation keeps serving, to append to a sentence. */
export const describeServing = (current: number | null | undefined): string =>
  typeof current === "number" ? `; generation ${current} keeps serving` : "";

const describeRest = ({ rest, signal }: { readonly rest: number; readonly signal: string }): string => {
  const remaining = `${count(rest, "other process")} of it ${rest === 1 ? "is" : "are"}`;
  return signal === "SIGKILL"
    ? `${remaining} killed`
    : `${remaining} left, and ${rest === 1 ? "gets" : "get"} ${signal}`;
};

/** Why a start or a rollout failed, as part of a sentence. */
export const describeReason = (failure: Failure): string => {
  switch (failure.kind) {
    case "exited":
      return `it ${describeEnding(failure.ending)} before it was available`;
    case "timeout":
      return `not ready within ${seconds(failure.afterMs)}${failure.probe === undefined ? "" : `; the last probe found that it ${failure.probe}`}${failure.sockets === undefined ? "" : `; it ${describeSockets(failure.sockets)}`}`;
    case "notServing":
      return `${SIGNS[failure.sign]} but ${failure.sign === "probe" ? "it " : ""}${describeSockets(failure.sockets)}`;
    case "spawn":
      return failure.detail ?? describeStep(failure);
    case "dismissed":
      return `it was ready, but before it was available: ${describeEviction(failure.reason)}`;
    case "deadline":
      return `the rollout was not complete within ${seconds(failure.afterMs)}`;
    case "superseded":
      return "superseded by another deploy";
    case "shutdown":
      return "crank is shutting down";
  }
};

const SIGNS = {
  notify: "it sent READY=1",
  ack: "it acknowledged that it is ready",
  delay: "it ran for the readiness delay",
  probe: "its probe succeeded",
} as const;

/** What is wrong with a worker's sockets, after "it". */
export const describeSockets = ({ missing, listens, apart }: SocketFinding): string => {
  const where = listens.length === 0 ? "nowhere" : `on ${listens.join(", ")}`;
  if (missing.length > 0) return `does not hold ${missing.join(", ")}; it listens ${where}`;
  if (apart === undefined)
    return `holds its sockets; it ${listens.length === 0 ? "listens nowhere else" : `also listens ${where}`}`;
  return `holds its sockets only in process ${apart.holder}; process ${apart.listener} listens on ${listens.join(", ")}; run that one itself, a wrapper such as npm closes the sockets on the way`;
};

/** Why crank evicts a worker, as part of a sentence. */
const describeEviction = (reason: Eviction): string => {
  switch (reason.kind) {
    case "notAlive":
      return `it is not alive: the last probe found that it ${reason.detail}`;
    case "watchdog":
      return reason.afterMs === null ? "it requested it" : `it sent no WATCHDOG=1 for ${seconds(reason.afterMs)}`;
    case "age":
      return `it was started ${seconds(reason.afterMs)} ago`;
    case "memory":
      return `it uses ${megabytes(reason.bytes)} of memory, more than its limit of ${megabytes(reason.limit)}`;
  }
};

type Named = { readonly worker: number; readonly generation: number; readonly pid?: number | null };

const worker = ({ worker: id, generation, pid }: Named): string => {
  const process = pid === undefined || pid === null ? "" : `pid ${pid}, `;
  return `worker ${id} (${process}generation ${generation})`;
};

const capital = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

const count = (number: number, thing: string): string =>
  `${number} ${thing}${number === 1 ? "" : thing.endsWith("s") ? "es" : "s"}`;

const attempts = (remaining: number): string => (remaining > 0 ? `; ${count(remaining, "more attempt")}` : "");

/** Milliseconds as seconds: up to three decimals below 10 s, up to one from there on. */
const seconds = (ms: number): string => `${Number((ms / 1000).toFixed(ms < 10_000 ? 3 : 1))} s`;

const megabytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MB`;
