// The requests of the control socket: a handler for every method of the protocol.

import type { RpcId } from "../../control/jsonrpc.ts";
import { ERROR_CODES, type Method, type Methods } from "../../control/messages.ts";
import type { RunParams } from "../../control/run-params.ts";
import { isSupervisorEvent } from "../../control/supervisor-events.ts";
import { asGiven, type GoodSpec, isSameSpec, type Spec } from "../../core/model/spec.ts";
import { allWorkers, countWorkers } from "../../core/model/workers.ts";
import { beginMeasurement, isMeasured } from "../metrics/measuring.ts";
import { parseSignal, signalNumber } from "../os/signals.ts";
import { whyNeverReady } from "../sockets/notify-path.ts";
import { NOBODY, type Pending } from "../state/parts/pending.ts";
import { addFollower, authenticate, nextRequest, rememberPending } from "../state/remember.ts";
import type { Memory } from "../state/store.ts";
import { whyNotAgain } from "../workers/start/pins.ts";
import { history, info, selectWorkers, status, workersFor } from "./queries.ts";
import { type Asker, askQueues, endConnection, notify, refuse, reply, sendAnswer, signalToken } from "./replies.ts";
import { SpecError } from "./spec-error.ts";
import { specFrom } from "./specs.ts";

/** A request: where its answer goes, and when it came (CLOCK_MONOTONIC ms). */
export type Call = Asker & { readonly now: number };
export type Handler<M extends Method> = (
  memory: Memory,
  call: Call,
  params: Methods[M]["params"],
) => Promise<void> | void;
export type MethodHandlers = { readonly [M in Method]: Handler<M> };

/** Where the answer goes. A notification is carried out too, but gets no answer. */
export const waiterOf = ({ connection, rpc }: Call): { readonly connection: number; readonly rpc: RpcId } =>
  rpc === undefined ? { connection: NOBODY, rpc: null } : { connection, rpc };

/** Handles one request, whose parameters are valid. */
export const handleCall = <M extends Method>(
  memory: Memory,
  handlers: MethodHandlers,
  call: Call,
  { method, params }: { readonly method: M; readonly params: Methods[M]["params"] },
): Promise<void> | void => {
  // Narrowed by the key: the table has for each method the handler of that method's parameters.
  const handler = handlers[method] as Handler<M>;
  return handler(memory, call, params);
};

/** Deploys the last good spec as it ran, without an answer: crank's own start. */
export const redeploy = (memory: Memory, now: number): void => {
  const spec = currentSpec(memory);
  if (spec) deployForNobody(memory, spec, now);
};

/** The same for a reload of something that did not start: paths are resolved again. */
export const redeployAnew = (memory: Memory, now: number): void => {
  const spec = currentSpec(memory);
  if (spec) deployForNobody(memory, asGiven(spec), now);
};

/** Deploys a spec without a request. */
export const deployForNobody = (memory: Memory, spec: Spec, now: number): void =>
  memory.advance({
    kind: "run",
    now,
    request: null,
    wallNow: memory.platform.wallNow(),
    spec,
    supersede: false,
    order: "fleet",
    expectPid: null,
  });

/** The spec in effect, at the number of workers that it was scaled to; else the last good one. */
const currentSpec = (memory: Memory): Spec | null => {
  const { service, generations } = memory.core;
  const current = service.current === null ? undefined : generations[service.current];
  // Deploy at least one worker: with the service scaled to 0, a deploy of none would prove nothing.
  const instances = Math.max(1, current?.instances ?? 1);
  if (current) return instances === current.spec.instances ? current.spec : { ...current.spec, instances };
  return memory.core.history.at(-1)?.spec ?? null;
};

type Deploy = {
  readonly wait: boolean;
  readonly clientId: string | null;
  readonly supersede: boolean;
  readonly expectPid: number | null;
};

const deploy = (memory: Memory, call: Call, spec: Spec, { wait, clientId, supersede, expectPid }: Deploy): void => {
  const request = nextRequest(memory);
  const generation = memory.core.service.nextGeneration;
  const pending: Pending = {
    kind: "rollout",
    ...waiterOf(call),
    clientId,
    wait,
    said: null,
    generation,
  };
  rememberPending(memory, request, pending);
  memory.advance({
    kind: "run",
    now: call.now,
    request,
    wallNow: memory.platform.wallNow(),
    spec,
    supersede,
    order: "oneByOne",
    expectPid,
  });
};

const run: Handler<"run"> = (memory, call, params) => {
  if (resumed(memory, call, params.clientId)) return;
  const { settings } = memory;
  if (!settings) return;
  try {
    const spec = specFrom(memory.platform, settings, baseSpec(memory), params);
    const current = memory.core.generations[memory.core.service.current ?? 0]?.spec ?? null;
    const problem = whyNeverReady(memory.platform, settings, { spec, current });
    if (problem !== null) throw new SpecError(problem);
    deploy(memory, call, spec, deployOptions(params));
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    refuse(memory, call, error.message);
  }
};

const deployOptions = (params: RunParams): Deploy => ({
  wait: params.wait ?? false,
  clientId: params.clientId ?? null,
  supersede: params.supersede ?? false,
  expectPid: params.pid ?? null,
});

/** Parameters that are not given come from the last good deploy, with its present number of workers. */
const baseSpec = (memory: Memory): Spec | null => currentSpec(memory);

/** A client that lost its connection repeats its request with the same id, and gets the same rollout's answer. */
const resumed = (memory: Memory, call: Call, clientId: string | undefined): boolean => {
  if (clientId === undefined) return false;
  const finished = memory.finished.find((known) => known.clientId === clientId);
  if (finished) {
    sendAnswer(memory, call, finished.reply);
    return true;
  }
  for (const [request, pending] of memory.pending) {
    if (pending.kind !== "rollout" || pending.clientId !== clientId) continue;
    rememberPending(memory, request, { ...pending, ...waiterOf(call) });
    return true;
  }
  return false;
};

const reload: Handler<"reload"> = (memory, call, params) => {
  if (resumed(memory, call, params.clientId)) return;
  const spec = currentSpec(memory);
  if (!spec) return refuse(memory, call, "Nothing has been run yet that could be reloaded");
  deploy(memory, call, asGiven(spec), deployOptions(params));
};

const rollback: Handler<"rollback"> = (memory, call, params) => {
  if (resumed(memory, call, params.clientId)) return;
  const target = rollbackTarget(memory, params.to);
  if (typeof target === "string") return refuse(memory, call, target);
  const obstacle = whyNotAgain(memory, target.spec);
  if (obstacle !== null)
    return refuse(
      memory,
      call,
      `Generation ${target.generation} cannot be rolled back to: ${obstacle}. Put it back, or choose another generation with -to (crankctl history lists them)`,
    );
  deploy(memory, call, target.spec, deployOptions(params));
};

/** The good spec to roll back to, or why there is none. */
const rollbackTarget = (memory: Memory, to: number | undefined): GoodSpec | string => {
  const known = memory.core.history;
  const listed = known.map((good) => good.generation).join(", ");
  if (to !== undefined)
    return (
      known.find((good) => good.generation === to) ??
      `Generation ${to} is not in the record, which has ${listed === "" ? "none" : listed}`
    );
  const { service, generations } = memory.core;
  const running = service.current === null ? undefined : generations[service.current]?.spec;
  // Records of earlier versions may hold the same spec more than once.
  const isOther = ({ generation, spec }: GoodSpec): boolean =>
    generation !== service.current && !(running && isSameSpec(spec, running));
  return known.findLast(isOther) ?? "There is no earlier generation to roll back to";
};

const scale: Handler<"scale"> = (memory, call, params) => {
  const change = params.to === undefined ? { by: params.by ?? 0 } : { to: params.to };
  const request = nextRequest(memory);
  rememberPending(memory, request, { kind: "scale", ...waiterOf(call) });
  memory.advance({ kind: "scale", now: call.now, request, change, inRollout: "refuse" });
};

const kill: Handler<"kill"> = (memory, call, params) => {
  const signal = parseSignal(params.signal ?? "TERM");
  if (signal === null) return refuse(memory, call, `Unknown signal ${params.signal}`);
  const workers = selectWorkers(memory.core, params, "none").filter((worker) => worker.pid !== null);
  const pids = workers.flatMap((worker) => worker.pid ?? []);
  if (workers.length === 0) return reply(memory, call, { pids });
  const request = nextRequest(memory);
  for (const worker of workers)
    memory.batch.command({ kind: "signal", worker: worker.id, signal: signalNumber(signal), group: 0 });
  // Answered when the keeper has sent all signals, because only then it is known whether it may.
  memory.batch.command({ kind: "mark", token: signalToken(request) });
  rememberPending(memory, request, {
    kind: "signals",
    ...waiterOf(call),
    workers: workers.map((worker) => worker.id),
    pids,
    wait: params.wait === true,
    refused: null,
  });
};

const ps: Handler<"ps"> = (memory, call, selector) => {
  if (!measuresFor(memory, call, selector.measure)) return reply(memory, call, workersFor(memory, selector));
  rememberPending(memory, nextRequest(memory), { kind: "ps", ...waiterOf(call), selector });
};

/** Whether the answer has to wait for a measurement, which is then begun. */
const measuresFor = (memory: Memory, { now }: Call, isWanted: boolean | undefined): boolean => {
  if (isWanted !== true || isMeasured(memory, now)) return false;
  beginMeasurement(memory, now, "everything");
  return true;
};

const askStatus: Handler<"status"> = (memory, call, { measure }) => {
  const request = nextRequest(memory);
  const waiting = askQueues(memory, request);
  const isMeasuring = measuresFor(memory, call, measure);
  if (waiting.length === 0 && !isMeasuring) return reply(memory, call, status(memory, {}));
  rememberPending(memory, request, {
    kind: "status",
    ...waiterOf(call),
    isMeasuring,
    waiting,
    queues: {},
  });
};

const events: Handler<"events"> = (memory, call, params) => {
  reply(memory, call, { first: memory.events.first, next: memory.events.next });
  if (params.from !== undefined) {
    for (const text of memory.events.from(params.from))
      notify(memory, call.connection, isSupervisorEvent(JSON.parse(text)) ? "happening" : "event", text);
  }
  if (params.follow === true) addFollower(memory, call.connection);
};

const DEFAULT_LOG_LINES = 10;

const logs: Handler<"logs"> = (memory, call, params) => {
  if (memory.settings?.logFormat === "raw")
    return refuse(
      memory,
      call,
      "With -log-format raw the workers write to crank's own output; crank sees none of their lines",
    );
  const worker =
    params.pid === undefined ? 0 : allWorkers(memory.core.workers).find((known) => known.pid === params.pid)?.id;
  if (worker === undefined) return refuse(memory, call, `There is no worker with the pid ${params.pid}`);
  reply(memory, call, {});
  memory.batch.command({
    kind: "follow",
    connection: call.connection,
    worker,
    lines: params.lines ?? DEFAULT_LOG_LINES,
    follow: params.follow === true ? 1 : 0,
  });
};

const shutdown: Handler<"shutdown"> = (memory, call, params) => {
  const workers = countWorkers(memory.core.workers);
  if (params.wait !== true) {
    reply(memory, call, { workers });
    memory.advance({ kind: "shutdown", now: call.now, request: null, steps: null });
    return;
  }
  const request = nextRequest(memory);
  rememberPending(memory, request, { kind: "shutdown", ...waiterOf(call) });
  memory.advance({ kind: "shutdown", now: call.now, request, steps: null });
};

const checkToken: Handler<"authenticate"> = (memory, call, params) => {
  const secret = memory.platform.environment.CRANK_CTL_TOKEN;
  if (secret === undefined || secret === "" || !isSame(secret, params.token)) {
    const message = "The token in CRANK_CTL_TOKEN is not the one that this crank was started with";
    return endConnection(
      memory,
      call.connection,
      { code: ERROR_CODES.unauthorized, message },
      call.rpc ?? null,
      "guess",
    );
  }
  authenticate(memory, call.connection);
  reply(memory, call, {});
};

/** Compares over the whole length, so that the time taken reveals nothing. */
const isSame = (secret: string, given: string): boolean => {
  const a = new TextEncoder().encode(secret);
  const b = new TextEncoder().encode(given);
  let difference = a.length ^ b.length;
  for (let index = 0; index < b.length; index++) difference |= (a[index % a.length] ?? 0) ^ (b[index] ?? 0);
  return difference === 0;
};

/** All methods except `upgrade`, whose handler is in the upgrade folder. */
export const CONTROL_METHODS: Omit<MethodHandlers, "upgrade"> = {
  authenticate: checkToken,
  info: (memory, call) => reply(memory, call, info(memory)),
  run,
  reload,
  rollback,
  history: (memory, call) => reply(memory, call, history(memory)),
  scale,
  ps,
  status: askStatus,
  kill,
  events,
  logs,
  shutdown,
};
