// The requests of the control socket: a handler for every method of the protocol.

import type { RpcId } from "../../control/jsonrpc.ts";
import { ERROR_CODES, type Method, type Methods } from "../../control/messages.ts";
import type { RunParams } from "../../control/run-params.ts";
import { isSupervisorEvent } from "../../control/supervisor-event-text.ts";
import { asGiven, type GoodSpec, isSameSpec, type Spec } from "../../core/model/spec.ts";
import { allWorkers, countWorkers } from "../../core/model/workers.ts";
import { beginMeasurement, isMeasured } from "../metrics/measuring.ts";
import { parseSignal, signalNumber } from "../os/signals.ts";
import { whyNeverReady } from "../sockets/notify-path.ts";
import { NOBODY, type Pending } from "../state/parts/pending.ts";
import { addFollower, authenticate, nextRequest, savePending } from "../state/save.ts";
import type { Settings } from "../state/settings.ts";
import type { Store } from "../state/store.ts";
import { resolvedSpec, whyNotAgain } from "../workers/start/pins.ts";
import { config, history, info, selectWorkers, status, workersFor } from "./queries.ts";
import { type Asker, askQueues, endConnection, notify, refuse, reply, sendAnswer, signalToken } from "./replies.ts";
import { SpecError } from "./spec-error.ts";
import { settingsOf } from "./spec-values.ts";
import { probeWithoutSocket, specFrom } from "./specs.ts";

/** A request: where its answer goes, and when it came (CLOCK_MONOTONIC ms). */
export type Call = Asker & { readonly now: number };
export type Handler<M extends Method> = (
  store: Store,
  call: Call,
  params: Methods[M]["params"],
) => Promise<void> | void;
export type MethodHandlers = { readonly [M in Method]: Handler<M> };

/** Where the answer goes. A notification is carried out too, but gets no answer. */
export const waiterOf = ({ connection, rpc }: Call): { readonly connection: number; readonly rpc: RpcId } =>
  rpc === undefined ? { connection: NOBODY, rpc: null } : { connection, rpc };

/** Handles one request, whose parameters are valid. */
export const handleCall = <M extends Method>(
  store: Store,
  handlers: MethodHandlers,
  call: Call,
  { method, params }: { readonly method: M; readonly params: Methods[M]["params"] },
): Promise<void> | void => {
  // Narrowed by the key: the table has for each method the handler of that method's parameters.
  const handler = handlers[method] as Handler<M>;
  return handler(store, call, params);
};

/** Deploys the last good spec as it ran, without an answer: crank's own start. */
export const redeploy = (store: Store, now: number): void => {
  const spec = currentSpec(store);
  if (spec) deployForNobody(store, spec, now);
};

/** The same for a reload of something that did not start: paths are resolved again. */
export const redeployAnew = (store: Store, now: number): void => {
  const spec = currentSpec(store);
  if (spec) deployForNobody(store, asGiven(spec), now);
};

/** Deploys a spec without a request. */
export const deployForNobody = (store: Store, spec: Spec, now: number): void =>
  store.advance({
    kind: "run",
    now,
    request: null,
    wallNow: store.platform.wallNow(),
    spec,
    supersede: false,
    order: "fleet",
    expectPid: null,
  });

/** The spec in effect, at the number of workers that it was scaled to; else the last good one. */
const currentSpec = (store: Store): Spec | null => {
  const { service, generations } = store.core;
  const current = service.current === null ? undefined : generations[service.current];
  // Deploy at least one worker: with the service scaled to 0, a deploy of none would prove nothing.
  const instances = Math.max(1, current?.instances ?? 1);
  if (current) return instances === current.spec.instances ? current.spec : { ...current.spec, instances };
  return store.core.history.at(-1)?.spec ?? null;
};

type Deploy = {
  readonly wait: boolean;
  readonly clientId: string | null;
  readonly supersede: boolean;
  readonly expectPid: number | null;
};

const deploy = (store: Store, call: Call, spec: Spec, { wait, clientId, supersede, expectPid }: Deploy): void => {
  const request = nextRequest(store);
  const generation = store.core.service.nextGeneration;
  const pending: Pending = {
    kind: "rollout",
    ...waiterOf(call),
    clientId,
    wait,
    said: null,
    generation,
  };
  savePending(store, request, pending);
  store.advance({
    kind: "run",
    now: call.now,
    request,
    wallNow: store.platform.wallNow(),
    spec,
    supersede,
    order: "oneByOne",
    expectPid,
  });
};

const run: Handler<"run"> = (store, call, params) => {
  if (resumed(store, call, params.clientId)) return;
  const { settings } = store;
  if (!settings) return;
  try {
    deploy(store, call, askedSpec(store, settings, params), deployOptions(params));
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    refuse(store, call, error.message);
  }
};

/** The spec of a `run`. Throws SpecError. */
const askedSpec = (store: Store, settings: Settings, params: RunParams): Spec => {
  const spec = specFrom(store.platform, settings, baseSpec(store, params), params);
  const current = store.core.generations[store.core.service.current ?? 0]?.spec ?? null;
  const problem = whyNeverReady(store.platform, settings, { spec, current });
  if (problem !== null) throw new SpecError(problem);
  const probe = settings.binds.length > 0 ? null : probeWithoutSocket(spec);
  if (probe !== null) throw new SpecError(probe);
  return spec;
};

const askConfig: Handler<"config"> = (store, call, { run: asked }) => {
  const { settings } = store;
  if (!settings) return;
  try {
    const spec = asked === undefined ? null : resolvedSpec(store, askedSpec(store, settings, asked));
    reply(store, call, config(store, spec === null ? null : settingsOf(spec)));
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    refuse(store, call, error.message);
  }
};

const deployOptions = (params: RunParams): Deploy => ({
  wait: params.wait ?? false,
  clientId: params.clientId ?? null,
  supersede: params.supersede ?? false,
  expectPid: params.pid ?? null,
});

/** Parameters that are not given come from the last good deploy, with its present number of workers. */
const baseSpec = (store: Store, { fresh }: RunParams): Spec | null => (fresh === true ? null : currentSpec(store));

/** A client that lost its connection repeats its request with the same id, and gets the same rollout's answer. */
const resumed = (store: Store, call: Call, clientId: string | undefined): boolean => {
  if (clientId === undefined) return false;
  const finished = store.finished.find((known) => known.clientId === clientId);
  if (finished) {
    sendAnswer(store, call, finished.reply);
    return true;
  }
  for (const [request, pending] of store.pending) {
    if (pending.kind !== "rollout" || pending.clientId !== clientId) continue;
    savePending(store, request, { ...pending, ...waiterOf(call) });
    return true;
  }
  return false;
};

const reload: Handler<"reload"> = (store, call, params) => {
  if (resumed(store, call, params.clientId)) return;
  const spec = currentSpec(store);
  if (!spec) return refuse(store, call, "No run to reload; deploy a command first");
  deploy(store, call, asGiven(spec), deployOptions(params));
};

const rollback: Handler<"rollback"> = (store, call, params) => {
  if (resumed(store, call, params.clientId)) return;
  const target = rollbackTarget(store, params.to);
  if (typeof target === "string") return refuse(store, call, target);
  const obstacle = whyNotAgain(store, target.spec);
  if (obstacle !== null)
    return refuse(
      store,
      call,
      `Generation ${target.generation} cannot be rolled back to: ${obstacle}. Restore it, or choose another generation with -to (crankctl history lists them)`,
    );
  deploy(store, call, target.spec, deployOptions(params));
};

/** The good spec to roll back to, or why there is none. */
const rollbackTarget = (store: Store, to: number | undefined): GoodSpec | string => {
  const known = store.core.history;
  const listed = known.map((good) => good.generation).join(", ");
  if (to !== undefined)
    return (
      known.find((good) => good.generation === to) ??
      `Generation ${to} is not in the record${listed === "" ? "" : `, which has ${listed}`}`
    );
  const { service, generations } = store.core;
  const running = service.current === null ? undefined : generations[service.current]?.spec;
  // Records of earlier versions may hold the same spec more than once.
  const isOther = ({ generation, spec }: GoodSpec): boolean =>
    generation !== service.current && !(running && isSameSpec(spec, running));
  return known.findLast(isOther) ?? "No earlier generation to roll back to";
};

const scale: Handler<"scale"> = (store, call, params) => {
  const change = params.to === undefined ? { by: params.by ?? 0 } : { to: params.to };
  const request = nextRequest(store);
  savePending(store, request, { kind: "scale", ...waiterOf(call) });
  store.advance({ kind: "scale", now: call.now, request, change, inRollout: "refuse" });
};

const kill: Handler<"kill"> = (store, call, params) => {
  const signal = parseSignal(params.signal ?? "TERM");
  if (signal === null) return refuse(store, call, `Unknown signal ${params.signal}`);
  const workers = selectWorkers(store.core, params, "none").filter((worker) => worker.pid !== null);
  const pids = workers.flatMap((worker) => worker.pid ?? []);
  if (workers.length === 0) return reply(store, call, { pids });
  const request = nextRequest(store);
  for (const worker of workers)
    store.batch.command({ kind: "signal", worker: worker.id, signal: signalNumber(signal), group: 0 });
  // Answered when the keeper has sent all signals, because only then it is known whether it may.
  store.batch.command({ kind: "mark", token: signalToken(request) });
  savePending(store, request, {
    kind: "signals",
    ...waiterOf(call),
    workers: workers.map((worker) => worker.id),
    pids,
    wait: params.wait === true,
    refused: null,
  });
};

const ps: Handler<"ps"> = (store, call, selector) => {
  if (!measuresFor(store, call, selector.measure)) return reply(store, call, workersFor(store, selector));
  savePending(store, nextRequest(store), { kind: "ps", ...waiterOf(call), selector });
};

/** Whether the answer has to wait for a measurement, which is then begun. */
const measuresFor = (store: Store, { now }: Call, isWanted: boolean | undefined): boolean => {
  if (isWanted !== true || isMeasured(store, now)) return false;
  beginMeasurement(store, now, "everything");
  return true;
};

const askStatus: Handler<"status"> = (store, call, { measure }) => {
  const request = nextRequest(store);
  const waiting = askQueues(store, request);
  const isMeasuring = measuresFor(store, call, measure);
  if (waiting.length === 0 && !isMeasuring) return reply(store, call, status(store, {}));
  savePending(store, request, {
    kind: "status",
    ...waiterOf(call),
    isMeasuring,
    waiting,
    queues: {},
  });
};

const events: Handler<"events"> = (store, call, params) => {
  reply(store, call, { first: store.events.first, next: store.events.next });
  if (params.from !== undefined) {
    for (const text of store.events.from(params.from))
      notify(store, call.connection, isSupervisorEvent(JSON.parse(text)) ? "happening" : "event", text);
  }
  if (params.follow === true) addFollower(store, call.connection);
};

const DEFAULT_LOG_LINES = 10;

const logs: Handler<"logs"> = (store, call, params) => {
  if (store.settings?.logFormat === "raw")
    return refuse(
      store,
      call,
      "With -log-format raw, workers write to crank's own output, and crank does not see their lines",
    );
  const worker =
    params.pid === undefined ? 0 : allWorkers(store.core.workers).find((known) => known.pid === params.pid)?.id;
  if (worker === undefined) return refuse(store, call, `No worker has the pid ${params.pid}`);
  reply(store, call, {});
  store.batch.command({
    kind: "follow",
    connection: call.connection,
    worker,
    lines: params.lines ?? DEFAULT_LOG_LINES,
    follow: params.follow === true ? 1 : 0,
  });
};

const shutdown: Handler<"shutdown"> = (store, call, params) => {
  const workers = countWorkers(store.core.workers);
  if (params.wait !== true) {
    reply(store, call, { workers });
    store.advance({ kind: "shutdown", now: call.now, request: null, steps: null });
    return;
  }
  const request = nextRequest(store);
  savePending(store, request, { kind: "shutdown", ...waiterOf(call) });
  store.advance({ kind: "shutdown", now: call.now, request, steps: null });
};

const checkToken: Handler<"authenticate"> = (store, call, params) => {
  const secret = store.platform.environment.CRANK_CTL_TOKEN;
  if (secret === undefined || secret === "" || !isSame(secret, params.token)) {
    const message = "The secret in CRANK_CTL_TOKEN is wrong";
    return endConnection(
      store,
      call.connection,
      { code: ERROR_CODES.unauthorized, message },
      call.rpc ?? null,
      "guess",
    );
  }
  authenticate(store, call.connection);
  reply(store, call, {});
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
  info: (store, call) => reply(store, call, info(store)),
  run,
  reload,
  rollback,
  history: (store, call) => reply(store, call, history(store)),
  config: askConfig,
  scale,
  ps,
  status: askStatus,
  kill,
  events,
  logs,
  shutdown,
};
