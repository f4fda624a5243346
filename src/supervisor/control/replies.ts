// What is sent over control connections: answers, errors and notifications, and the requests that wait for them.
import { encodeAnswer, encodeError, encodeResult, type RpcId } from "../../control/jsonrpc.ts";
import { ERROR_CODES, type Method, type Methods, type RpcError } from "../../control/messages.ts";
import { describeFailure, describeRefusal, describeServing } from "../../core/describe.ts";
import type { Outcome } from "../../core/model/effects.ts";
import type { Spec } from "../../core/model/spec.ts";
import type { State } from "../../core/model/state.ts";
import type { GenerationNumber } from "../../core/model/worker.ts";
import { findWorker } from "../../core/model/workers.ts";
import { LIMITS } from "../../keeper/protocol.ts";
import { SOCK_DGRAM } from "../os/sockaddr.ts";
import { keepBacklogs } from "../sockets/backlog.ts";
import { serviceSockets } from "../sockets/listeners.ts";
import { closedTo } from "../sockets/notify-path.ts";
import { keptValue } from "../state/kept-value.ts";
import { NOBODY, type Pending } from "../state/parts/pending.ts";
import { forgetPending, saveFinished, savePending } from "../state/save.ts";
import type { Store } from "../state/store.ts";
import { status, workersFor } from "./queries.ts";

/** The result of any method. */
export type Result = Methods[Method]["result"];

/** Where an answer goes. `rpc` undefined: a notification, which gets none. */
export type Asker = { readonly connection: number; readonly rpc: RpcId | undefined };

/** Sends a complete line, with its newline. */
export const sendLine = (store: Store, connection: number, line: string): void => {
  if (connection === NOBODY) return;
  store.batch.command({ kind: "write", connection, bytes: line, close: 0 });
};

/** The longest answer, in UTF-16 units. With up to three UTF-8 bytes each it fits into a connection's buffer. */
const LONGEST_ANSWER = Math.floor(LIMITS.connectionOutputBytes / 3) - 1024;

/** Sends the result of a request. An answer that is too long becomes an error. */
export const reply = (store: Store, asker: Asker, result: Result): void => {
  if (asker.rpc !== undefined) sendBounded(store, asker, encodeResult(asker.rpc, result));
};

/** Sends an answer that is JSON already, `{"result":…}` or `{"error":…}`. */
export const sendAnswer = (store: Store, asker: Asker, answer: string): void => {
  if (asker.rpc !== undefined) sendBounded(store, asker, encodeAnswer(asker.rpc, answer));
};

const sendBounded = (store: Store, asker: Asker, line: string): void => {
  if (line.length <= LONGEST_ANSWER) return sendLine(store, asker.connection, line);
  replyError(store, asker, {
    code: ERROR_CODES.internal,
    message: `The answer would have ${line.length} characters, more than the limit of a connection`,
  });
};

/**
 * Ends a connection with an error. `guess`: the client sent a wrong token, so the next connection from its address
 * waits longer.
 */
export const endConnection = (
  store: Store,
  connection: number,
  error: RpcError,
  rpc: RpcId = null,
  because: "end" | "guess" = "end",
): void => {
  store.batch.command({
    kind: "write",
    connection,
    bytes: encodeError(rpc, error),
    close: because === "guess" ? 2 : 1,
  });
};

/** Sends an error, unless it was a notification. */
export const replyError = (store: Store, asker: Asker, error: RpcError): void => {
  if (asker.rpc !== undefined) sendLine(store, asker.connection, encodeError(asker.rpc, error));
};

/** Sends a refusal: nothing has changed. */
export const refuse = (store: Store, asker: Asker, message: string): void =>
  replyError(store, asker, { code: ERROR_CODES.refused, message });

/** Sends a notification whose parameters (an EventEntry) are JSON already. */
export const notify = (
  store: Store,
  connection: number,
  method: "progress" | "event" | "happening",
  json: string,
): void => {
  sendLine(store, connection, `{"jsonrpc":"2.0","method":"${method}","params":${json}}\n`);
};

/** Passes the core's answer to the client, if it is still connected. */
export const answer = (store: Store, request: number, outcome: Outcome, before: State["generations"]): void => {
  const pending = store.pending.get(request);
  if (!pending) return;
  const reply = JSON.stringify(outcomeMessage(store, outcome, before));
  // Its progress notifications come first, and those are published after the batch.
  if (
    pending.kind === "rollout" &&
    (store.events.hasUnpublished || pending.generation === store.acceptCheck?.generation)
  )
    return savePending(store, request, { ...pending, said: reply });
  forgetPending(store, request);
  finishWith(store, pending, reply);
};

/**
 * Gives the answers that waited for their progress to be published, except those that also wait for a look at a worker.
 */
export const giveHeldAnswers = (store: Store): void => {
  for (const [request, pending] of store.pending) {
    if (pending.kind !== "rollout" || pending.said === null || pending.generation === store.acceptCheck?.generation)
      continue;
    forgetPending(store, request);
    finishWith(store, pending, pending.said);
  }
};

/** Adds a warning to the held answers of a generation's deploys. */
const warnHeldAnswers = (store: Store, generation: GenerationNumber, warning: string): void => {
  for (const [request, pending] of store.pending) {
    if (pending.kind !== "rollout" || pending.said === null || pending.generation !== generation) continue;
    const reply = keptValue(pending.said);
    if (!reply.result) continue;
    const warnings = [reply.result.warning, warning].filter((one) => one !== undefined);
    const result = { ...reply.result, warning: warnings.join(". ") };
    savePending(store, request, { ...pending, said: JSON.stringify({ result }) });
  }
};

/** The looks at a generation's worker have ended: its deploys get their answers, with a warning if there is one. */
export const endHeldAnswers = (
  store: Store,
  { generation, warning }: { readonly generation: GenerationNumber; readonly warning: string | null },
): void => {
  if (warning !== null) warnHeldAnswers(store, generation, warning);
  if (!store.events.hasUnpublished) giveHeldAnswers(store);
};

type Reply = { readonly result: Result } | { readonly error: RpcError };

/** Gives the final answer to a request, and keeps it for a client that lost its connection. */
export const finish = (store: Store, pending: Pending, reply: Reply): void =>
  finishWith(store, pending, JSON.stringify(reply));

const finishWith = (store: Store, pending: Pending, reply: string): void => {
  if (pending.kind === "rollout" && pending.clientId !== null)
    saveFinished(store, { clientId: pending.clientId, reply });
  sendAnswer(store, pending, reply);
};

/** What may have prevented a worker from reporting readiness. */
const unreached = (store: Store, spec: Spec | undefined): string => {
  const closed = store.settings && spec ? closedTo(store.platform, store.settings, spec) : null;
  return closed === null ? "" : `. ${closed}`;
};

const outcomeMessage = (store: Store, outcome: Outcome, before: State["generations"]): Reply => {
  switch (outcome.kind) {
    case "refused":
      return { error: { code: ERROR_CODES.refused, message: describeRefusal(outcome.refusal) } };
    case "deployed":
      return {
        result: {
          generation: outcome.generation,
          accepted: true,
          pids: outcome.pids,
          ...(outcome.recordError === null
            ? {}
            : {
                warning: `The deploy is complete, but it could not be recorded in ${store.settings?.recordPath ?? "the record"}: ${outcome.recordError}`,
              }),
        },
      };
    case "rolledBack": {
      const { generation, worker, pid, failure } = outcome;
      return {
        error: {
          code: ERROR_CODES.failed,
          // An exit is described in the original's words alone.
          message:
            describeFailure(failure) +
            unreached(store, before[generation]?.spec) +
            (failure.kind === "spawn" ? describeServing(store.core.service.current) : ""),
          data: { generation, worker, pid, failure },
        },
      };
    }
    case "scaled":
      return { result: { from: outcome.from, to: outcome.to } };
    case "shutDown":
      return { result: { workers: 0 } };
  }
};

/** Answers the requests that wait for the upgrade with this number. */
export const answerUpgrade = (store: Store, upgrade: number, reply: Reply): void => {
  for (const [request, pending] of store.pending) {
    if (pending.kind !== "upgrade" || pending.upgrade !== upgrade) continue;
    forgetPending(store, request);
    finish(store, pending, reply);
  }
};

/** Crank ends: a running upgrade will not end any more. */
export const abandonUpgrades = (store: Store): void => {
  const message = "Crank has exited; it was not upgraded";
  for (const pending of [...store.pending.values()])
    if (pending.kind === "upgrade")
      answerUpgrade(store, pending.upgrade, { error: { code: ERROR_CODES.refused, message } });
};

/** The token of the mark behind a request's signals. Tokens of crank's own start are small numbers. */
export const signalToken = (request: number): number => FIRST_SIGNAL_TOKEN + request;
const FIRST_SIGNAL_TOKEN = 2 ** 32;

/**
 * The keeper could not send a requested signal. The request's answer reports it. Returns false if no request sent it.
 */
export const signalWasRefused = (store: Store, worker: number, reason: string): boolean => {
  const asked = [...store.pending].filter(
    ([, pending]) => pending.kind === "signals" && pending.workers.includes(worker),
  );
  const pid = findWorker(store.core.workers, worker)?.pid ?? 0;
  for (const [request, pending] of asked) {
    if (pending.kind === "signals")
      savePending(store, request, { ...pending, refused: `Process ${pid} cannot be signalled: ${reason}` });
  }
  return asked.length > 0;
};

/** All signals of a request are sent: answers it, or waits for the workers to end. */
export const signalsAreSent = (store: Store, token: number): void => {
  const request = token - FIRST_SIGNAL_TOKEN;
  const pending = store.pending.get(request);
  if (pending?.kind !== "signals") return;
  const { connection, rpc, pids, refused } = pending;
  const workers = pending.workers.filter((worker) => findWorker(store.core.workers, worker) !== undefined);
  if (refused === null && pending.wait && workers.length > 0)
    return savePending(store, request, { kind: "gone", connection, rpc, workers, pids });
  forgetPending(store, request);
  if (refused === null) reply(store, pending, { pids });
  else refuse(store, pending, refused);
};

/** Removes a worker that is gone from every `kill -wait`, and answers those that waited only for it. */
export const workerIsGone = (store: Store, worker: number): void => {
  for (const [request, pending] of store.pending) {
    if (pending.kind !== "gone" || !pending.workers.includes(worker)) continue;
    const workers = pending.workers.filter((other) => other !== worker);
    if (workers.length > 0) {
      savePending(store, request, { ...pending, workers });
      continue;
    }
    forgetPending(store, request);
    reply(store, pending, { pids: pending.pids });
  }
};

/** The queue of one more socket is known. Answers the `status` if that was the last one. */
export const queueIsKnown = (
  store: Store,
  request: number,
  handle: number,
  queue: { readonly queue: number; readonly limit: number },
): void => {
  const pending = store.pending.get(request);
  if (pending?.kind !== "status") return;
  const waiting = pending.waiting.filter((other) => other !== handle);
  const queues = { ...pending.queues, [handle]: queue };
  answerStatus(store, request, { ...pending, waiting, queues });
};

/** The kernel does not report the queues. Answers the `status` with what is known. */
export const queuesStayUnknown = (store: Store, request: number): void => {
  const pending = store.pending.get(request);
  if (pending?.kind === "status") answerStatus(store, request, { ...pending, waiting: [] });
};

/** Answers a `status` if it has all that it waits for. */
const answerStatus = (store: Store, request: number, pending: Extract<Pending, { kind: "status" }>): void => {
  if (pending.waiting.length > 0 || pending.isMeasuring) return savePending(store, request, pending);
  forgetPending(store, request);
  reply(store, pending, status(store, pending.queues));
};

/** Whether a request waits for a measurement. */
export const isMeasurementAwaited = ({ pending }: Store): boolean =>
  [...pending.values()].some(
    (one) => one.kind === "ps" || (one.kind === "status" && one.isMeasuring) || one.kind === "scrape",
  );

/** The measurement is as complete as it can be: answers the requests that wait for it. */
export const answerMeasured = (store: Store): void => {
  for (const [request, pending] of store.pending) {
    if (pending.kind === "status") answerStatus(store, request, { ...pending, isMeasuring: false });
    if (pending.kind !== "ps") continue;
    forgetPending(store, request);
    reply(store, pending, workersFor(store, pending.selector));
  }
};

/** Asks the keeper for the queues, for a `status` that waits. */
export const askQueues = (store: Store, request: number): readonly number[] => {
  keepBacklogs(store);
  const streams = serviceSockets(store).filter((socket) => socket.type !== SOCK_DGRAM);
  const handles = streams.map((socket) => socket.handle);
  for (const handle of handles) store.batch.command({ kind: "statSocket", request, handle });
  return handles;
};
