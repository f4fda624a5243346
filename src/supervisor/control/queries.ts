// Answers to queries: ps, status, history, info. Reads the memory and changes nothing.
import type {
  DrainingInfo,
  HistoryEntry,
  Info,
  RolloutInfo,
  Selector,
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
import { isoTime, offsetAt, offsetText, wallTime } from "../state/facts.ts";
import type { Memory, OpenSocket, WorkerReport } from "../state/store.ts";
import { storeLimit } from "../workers/start/stored-descriptors.ts";

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

const workerInfo = (memory: Memory, worker: Worker): WorkerInfo => {
  const spec = memory.core.generations[worker.generation]?.spec;
  const descriptors = memory.store.startedWith[worker.id];
  return {
    pid: worker.pid,
    id: worker.id,
    generation: worker.generation,
    state: worker.kind,
    cwd: spec?.cwd ?? "",
    command: spec?.command ?? [],
    ...(spec?.resolved ? { resolved: shown(spec.resolved) } : {}),
    startedAt: wallTime(memory.facts, worker.startedAt),
    uptime: Math.max(0, Math.round(memory.platform.monotonicNow() - worker.startedAt)) / 1000,
    ...(descriptors === undefined ? {} : { descriptors }),
    restarts: worker.restarts ?? 0,
    usage: usageOf(memory, worker.id),
    ...ownWords(memory.reports.get(worker.id)),
    ...(worker.kind === "stopping" && worker.rest !== undefined ? { rest: worker.rest } : {}),
  };
};

/** What the worker reported about itself. */
const ownWords = (said: WorkerReport = {}): Pick<WorkerInfo, "status" | "errno" | "reloading"> => {
  const { status = "", errno = 0, reloading } = said;
  return {
    ...(status === "" ? {} : { status }),
    ...(errno === 0 ? {} : { errno }),
    ...(reloading === true ? { reloading } : {}),
  };
};

/** The answer to `ps`. */
export const workersFor = (memory: Memory, selector: Selector): WorkerInfo[] =>
  selectWorkers(memory.core, selector, "all").map((worker) => workerInfo(memory, worker));

type Queues = Readonly<Record<number, { readonly queue: number; readonly limit: number }>>;

/** The answer to `status`. `queues`: by socket handle. */
export const status = (memory: Memory, queues: Queues): Status => {
  const { service, generations } = memory.core;
  const shown = service.current ?? service.rollout?.generation ?? null;
  return {
    name: memory.settings?.name ?? "",
    pid: memory.facts.pid,
    generation: service.current,
    instances: shown === null ? 0 : (generations[shown]?.instances ?? 0),
    phase: service.phase.kind,
    startedAt: wallTime(memory.facts, memory.facts.startedAt),
    restarts: service.restarts,
    sockets: serviceSockets(memory).map((socket) => socketInfo(memory, socket, queues)),
    rollout: rolloutInfo(memory),
    draining: drainingInfo(memory),
    workers: allWorkers(memory.core.workers).map((worker) => workerInfo(memory, worker)),
    ...unwritten(memory),
    ...(memory.stored.size === 0 ? {} : { stored: storedInfo(memory, generations[shown ?? 0]?.spec) }),
  };
};

const unwritten = ({ boot, core }: Memory): Pick<Status, "unwritten"> => {
  const all = [
    ...(boot.journal === "memory" ? (["journal"] as const) : []),
    ...(core.service.unrecorded ? (["record"] as const) : []),
  ];
  return all.length === 0 ? {} : { unwritten: all };
};

const storedInfo = (memory: Memory, spec: Spec | undefined): StoredInfo => ({
  count: memory.stored.size,
  limit: spec ? storeLimit(memory, spec) : 0,
  names: [...new Set([...memory.stored.values()].map(({ name }) => name))],
});

const socketInfo = (memory: Memory, socket: OpenSocket, queues: Queues): SocketInfo => ({
  name: memory.settings?.binds[socket.bind ?? 0]?.name ?? "",
  address: socket.address,
  queue: queues[socket.handle]?.queue ?? null,
  limit: queues[socket.handle]?.limit ?? null,
  connections: memory.measurements.socket(socket.handle)?.connections ?? null,
  drops: memory.measurements.socket(socket.handle)?.drops ?? null,
  ...problemOf(memory, socket),
});

const problemOf = (memory: Memory, { handle }: OpenSocket): Pick<SocketInfo, "problem"> => {
  const problem = nameProblem(memory, handle);
  return problem === null ? {} : { problem };
};

const rolloutInfo = (memory: Memory): RolloutInfo | null => {
  const { service, workers, generations } = memory.core;
  const { rollout } = service;
  const incoming = rollout ? generations[rollout.generation] : undefined;
  if (!rollout || !incoming) return null;
  const pool = findPool(workers, rollout.generation);
  const starting = countIn(pool, STANDING.starting);
  const ready = countReady(workers, rollout.generation);
  return {
    generation: rollout.generation,
    startedAt: wallTime(memory.facts, rollout.startedAt),
    wanted: incoming.instances,
    starting,
    ready,
    available: countIn(pool, STANDING.available) + countIn(pool, STANDING.outgoing),
    oldLeft: countLiving(workers) - starting - ready,
    attemptsLeft: rollout.attemptsLeft,
    waiting: waitingInfo(memory, rollout.waiting ?? null),
  };
};

const waitingInfo = (memory: Memory, waiting: Waiting | null): NonNullable<RolloutInfo["waiting"]> | null =>
  waiting?.kind === "pause" ? { kind: "pause", until: wallTime(memory.facts, waiting.until) } : waiting;

const drainingInfo = ({ core }: Memory): DrainingInfo => {
  const count = countOf(core.workers, STANDING.draining);
  const generations = new Set<number>();
  for (const worker of count === 0 ? [] : allWorkers(core.workers))
    if (standingOf(worker) === STANDING.draining) generations.add(worker.generation);
  return { workers: count, generations: [...generations], limit: wantedGeneration(core)?.spec.maxDraining ?? null };
};

/** The answer to `history`. */
export const history = (memory: Memory): HistoryEntry[] =>
  memory.core.history.map((good) => ({
    generation: good.generation,
    at: isoTime(memory.facts, good.at),
    current: good.generation === memory.core.service.current,
    command: good.spec.command,
    cwd: good.spec.cwd,
    instances: good.spec.instances,
    ...(good.spec.resolved ? { resolved: shown(good.spec.resolved) } : {}),
  }));

/** The answer to `info`. */
export const info = (memory: Memory): Info => ({
  name: memory.settings?.name ?? "",
  version: VERSION,
  keeperVersion: memory.facts.version,
  protocol: PROTOCOL_VERSION,
  pid: memory.facts.pid,
  supervisorPid: memory.platform.pid,
  runtime: memory.platform.runtime,
  startedAt: wallTime(memory.facts, memory.facts.startedAt),
  timeZone: offsetText(offsetAt(memory.facts, memory.platform.wallNow())),
  upgrades: memory.counters.upgrades,
  supervisorDeaths: memory.counters.supervisorDeaths,
});
