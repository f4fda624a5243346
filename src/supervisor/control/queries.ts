// Answers to queries: ps, status, history, info. Reads the store and changes nothing.
import type {
  Config,
  DrainingInfo,
  HistoryEntry,
  Info,
  RolloutInfo,
  Selector,
  ServiceSettings,
  SocketInfo,
  Status,
  StoredInfo,
  WorkerInfo,
} from "../../control/messages.ts";
import type { Resolved, Spec } from "../../core/model/spec.ts";
import { STANDING, standingOf } from "../../core/model/standing.ts";
import type { State, Waiting } from "../../core/model/state.ts";
import type { Worker } from "../../core/model/worker.ts";
import { allWorkers, countIn, countLiving, countOf, countReady, findPool } from "../../core/model/workers.ts";
import { wantedGeneration } from "../../core/pool/pool.ts";
import { PROTOCOL_VERSION } from "../../keeper/protocol.ts";
import { VERSION } from "../../version.ts";
import { usageOf } from "../metrics/usage.ts";
import { serviceSockets } from "../sockets/listeners.ts";
import { nameProblem } from "../sockets/names.ts";
import type { OpenSocket, Store, WorkerReport } from "../state/store.ts";
import { isoTime, offsetAt, offsetText, wallTime } from "../state/wall-time.ts";
import { storeLimit } from "../workers/start/stored-descriptors.ts";
import { settingsOf } from "./spec-values.ts";

/** The selected workers: the state flags add up, the pid narrows. `unselected`: what an empty selector means. */
export const selectWorkers = (state: State, selector: Selector, unselected: "all" | "none"): readonly Worker[] => {
  const workers = allWorkers(state.workers);
  const kinds = (["starting", "ready", "stopping"] as const).filter((kind) => selector[kind] === true);
  if (kinds.length === 0 && selector.pid === undefined) return unselected === "all" ? workers : [];
  return workers.filter(
    (worker) =>
      (kinds.length === 0 || kinds.includes(worker.kind)) &&
      (selector.pid === undefined || worker.pid === selector.pid),
  );
};

const shown = ({ cwd, file }: Resolved): { cwd: string; file: string } => ({ cwd, file });

const workerInfo = (store: Store, worker: Worker, now: number): WorkerInfo => {
  const spec = store.core.generations[worker.generation]?.spec;
  const descriptors = store.descriptorStore.startedWith[worker.id];
  return {
    pid: worker.pid,
    id: worker.id,
    generation: worker.generation,
    state: worker.kind,
    cwd: spec?.cwd ?? "",
    command: spec?.command ?? [],
    ...(spec?.resolved ? { resolved: shown(spec.resolved) } : {}),
    startedAt: wallTime(store.facts, worker.startedAt),
    uptime: Math.max(0, Math.round(now - worker.startedAt)) / 1000,
    ...(descriptors === undefined ? {} : { descriptors }),
    restarts: worker.restarts ?? 0,
    usage: usageOf(store, worker.id),
    ...reportedState(store.reports.get(worker.id)),
    ...(worker.kind === "stopping" && worker.rest !== undefined ? { rest: worker.rest } : {}),
  };
};

/** What the worker reported about itself. */
const reportedState = (report: WorkerReport = {}): Pick<WorkerInfo, "status" | "errno" | "reloading"> => {
  const { status = "", errno = 0, reloading } = report;
  return {
    ...(status === "" ? {} : { status }),
    ...(errno === 0 ? {} : { errno }),
    ...(reloading === true ? { reloading } : {}),
  };
};

/** The answer to `ps`. */
export const workersFor = (store: Store, selector: Selector): WorkerInfo[] =>
  infosOf(store, selectWorkers(store.core, selector, "all"));

/** All at one time, which is asked of the system once. */
const infosOf = (store: Store, workers: readonly Worker[]): WorkerInfo[] => {
  const now = store.platform.monotonicNow();
  return workers.map((worker) => workerInfo(store, worker, now));
};

type Queues = Readonly<Record<number, { readonly queue: number; readonly limit: number }>>;

/** The answer to `status`. `queues`: by socket handle. */
export const status = (store: Store, queues: Queues): Status => {
  const { service, generations } = store.core;
  const shown = service.current ?? service.rollout?.generation ?? null;
  return {
    name: store.settings?.name ?? "",
    pid: store.facts.pid,
    generation: service.current,
    instances: shown === null ? 0 : (generations[shown]?.instances ?? 0),
    phase: service.phase.kind,
    startedAt: wallTime(store.facts, store.facts.startedAt),
    restarts: service.restarts,
    sockets: serviceSockets(store).map((socket) => socketInfo(store, socket, queues)),
    rollout: rolloutInfo(store),
    draining: drainingInfo(store),
    workers: infosOf(store, allWorkers(store.core.workers)),
    ...(store.serviceManager.lastFailure === null ? {} : { lastFailure: store.serviceManager.lastFailure }),
    ...unwritten(store),
    ...(store.stored.size === 0 ? {} : { stored: storedInfo(store, generations[shown ?? 0]?.spec) }),
  };
};

const unwritten = ({ boot, core }: Store): Pick<Status, "unwritten"> => {
  const all = [
    ...(boot.journal === "memory" ? (["journal"] as const) : []),
    ...(core.service.unrecorded ? (["record"] as const) : []),
  ];
  return all.length === 0 ? {} : { unwritten: all };
};

const storedInfo = (store: Store, spec: Spec | undefined): StoredInfo => ({
  count: store.stored.size,
  limit: spec ? storeLimit(store, spec) : 0,
  names: [...new Set([...store.stored.values()].map(({ name }) => name))],
});

const socketInfo = (store: Store, socket: OpenSocket, queues: Queues): SocketInfo => ({
  name: store.settings?.binds[socket.bind ?? 0]?.name ?? "",
  address: socket.address,
  queue: queues[socket.handle]?.queue ?? null,
  limit: queues[socket.handle]?.limit ?? null,
  connections: store.measurements.socket(socket.handle)?.connections ?? null,
  drops: store.measurements.socket(socket.handle)?.drops ?? null,
  ...problemOf(store, socket),
});

const problemOf = (store: Store, { handle }: OpenSocket): Pick<SocketInfo, "problem"> => {
  const problem = nameProblem(store, handle);
  return problem === null ? {} : { problem };
};

const rolloutInfo = (store: Store): RolloutInfo | null => {
  const { service, workers, generations } = store.core;
  const { rollout } = service;
  const incoming = rollout ? generations[rollout.generation] : undefined;
  if (!rollout || !incoming) return null;
  const pool = findPool(workers, rollout.generation);
  const starting = countIn(pool, STANDING.starting);
  const ready = countReady(workers, rollout.generation);
  return {
    generation: rollout.generation,
    startedAt: wallTime(store.facts, rollout.startedAt),
    wanted: incoming.instances,
    starting,
    ready,
    available: countIn(pool, STANDING.available) + countIn(pool, STANDING.outgoing),
    oldLeft: countLiving(workers) - starting - ready,
    attemptsLeft: rollout.attemptsLeft,
    waiting: waitingInfo(store, rollout.waiting ?? null),
  };
};

const waitingInfo = (store: Store, waiting: Waiting | null): NonNullable<RolloutInfo["waiting"]> | null =>
  waiting?.kind === "pause" ? { kind: "pause", until: wallTime(store.facts, waiting.until) } : waiting;

const drainingInfo = ({ core }: Store): DrainingInfo => {
  const count = countOf(core.workers, STANDING.draining);
  const generations = new Set<number>();
  for (const worker of count === 0 ? [] : allWorkers(core.workers))
    if (standingOf(worker) === STANDING.draining) generations.add(worker.generation);
  return { workers: count, generations: [...generations], limit: wantedGeneration(core)?.spec.maxDraining ?? null };
};

/** The answer to `history`. */
export const history = (store: Store): HistoryEntry[] =>
  store.core.history.map((good) => ({
    generation: good.generation,
    at: isoTime(store.facts, good.at),
    current: good.generation === store.core.service.current,
    command: good.spec.command,
    cwd: good.spec.cwd,
    instances: good.spec.instances,
    ...(good.spec.resolved ? { resolved: shown(good.spec.resolved) } : {}),
  }));

/** The answer to `config`. */
export const config = (store: Store, asked: ServiceSettings | null): Config => {
  const { service } = store.core;
  return {
    running: generationSettings(store, service.current),
    rollout: generationSettings(store, service.rollout?.generation ?? null),
    asked,
  };
};

/** A generation's settings, with the number of workers that it was scaled to. */
const generationSettings = ({ core }: Store, number: number | null): Config["running"] => {
  const generation = number === null ? undefined : core.generations[number];
  if (generation === undefined) return null;
  const { instances, spec } = generation;
  return { generation: generation.number, ...settingsOf(instances === spec.instances ? spec : { ...spec, instances }) };
};

/** The answer to `info`. */
export const info = (store: Store): Info => ({
  name: store.settings?.name ?? "",
  version: VERSION,
  keeperVersion: store.facts.version,
  protocol: PROTOCOL_VERSION,
  pid: store.facts.pid,
  supervisorPid: store.platform.pid,
  runtime: store.platform.runtime,
  startedAt: wallTime(store.facts, store.facts.startedAt),
  timeZone: offsetText(offsetAt(store.facts, store.platform.wallNow())),
  upgrades: store.counters.upgrades,
  supervisorDeaths: store.counters.supervisorDeaths,
});
