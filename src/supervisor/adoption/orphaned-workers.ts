// Orphaned workers of a killed crank whose journal is missing (its disk failed, or the file was removed). They are
// found by their user, their environment and the sockets that they hold, and turned into what a journal would have
// said, as far as the record knows what they run. Changes nothing.
import type { GoodSpec, Spec } from "../../core/model/spec.ts";
import { type Generation, initialState } from "../../core/model/state.ts";
import type { Worker } from "../../core/model/worker.ts";
import { type Address, formatAddress } from "../os/addresses.ts";
import type { BoundSocket, Environment, ProcessFacts, ProcessTable } from "../os/processes.ts";
import { AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from "../os/sockaddr.ts";
import { bindHandle } from "../state/handles.ts";
import type { Reconstruction } from "../state/parts/adoption.ts";
import { FORMAT } from "../state/restore.ts";
import { respawnOf, type Settings } from "../state/settings.ts";
import type { OpenSocket, Store } from "../state/store.ts";
import { hasOnly } from "../workers/notify/ownership.ts";

/**
 * The main process of an orphaned worker. `keeper`: the crank that started it. `holds`: it has a socket of the service
 * open.
 */
export type Orphan = {
  readonly facts: ProcessFacts;
  readonly worker: number;
  readonly generation: number;
  readonly index: number;
  readonly keeper: number;
  readonly holds: boolean;
};

/** All orphaned workers, and the sockets of this service that they hold. */
export type Orphans = { readonly workers: readonly Orphan[]; readonly sockets: readonly OpenSocket[] };

type Search = Pick<Store, "platform"> & { readonly settings: Settings; readonly history: readonly GoodSpec[] };

/** Searches all processes. */
export const findOrphans = async (processes: ProcessTable, search: Search): Promise<Orphans> => {
  const users = [search.platform.uid, ...search.history.flatMap(({ spec }) => spec.user?.uid ?? [])];
  const named: { readonly facts: ProcessFacts; readonly name: Name; readonly inodes: ReadonlySet<number> }[] = [];
  for (const pid of processes.list()) {
    const facts = pid === search.platform.pid ? null : processes.facts(pid);
    // Another user could write such an environment, but cannot run as this user.
    if (!facts || !hasOnly(facts, users)) continue;
    const environment = await processes.environment(pid);
    const name = environment ? nameIn(environment, search.settings) : null;
    // Processes that a worker started have the same environment, but another pid.
    if (name && environment?.get("LISTEN_PID") === String(pid))
      named.push({ facts, name, inodes: socketsOf(processes, pid) });
  }
  const bound = named.length === 0 ? new Map<number, BoundSocket>() : processes.sockets();
  const held = new Set(named.flatMap(({ inodes }) => [...inodes]));
  const sockets = search.settings.binds.flatMap(({ address }, bind) => {
    const found = [...bound].find(([inode, socket]) => held.has(inode) && isAt(address, socket));
    return found ? { inode: found[0], open: openSocket(address, bind, found[1]) } : [];
  });
  const workers = named.map(({ facts, name, inodes }) => ({
    ...name,
    facts,
    holds: sockets.some(({ inode }) => inodes.has(inode)),
  }));
  return { workers: oneOfEach(workers), sockets: sockets.map(({ open }) => open) };
};

type Name = Omit<Orphan, "facts" | "holds">;

/** The worker of this service that an environment names; null: none. */
const nameIn = (environment: Environment, { name, control, runDirectory }: Settings): Name | null => {
  if (name !== "" && environment.get("CRANK_NAME") !== name) return null;
  const path = control?.address.kind === "unix" ? control.address.path : null;
  const isHere =
    path === null
      ? runDirectory !== null && environment.get("NOTIFY_SOCKET")?.startsWith(`${runDirectory}/`) === true
      : environment.get("EINHORN_SOCK_PATH") === path;
  const numbers = ["CRANK_WORKER", "CRANK_GENERATION", "EINHORN_CHILD_INDEX", "EINHORN_MASTER_PID"].map((variable) =>
    /^\d{1,15}$/.test(environment.get(variable) ?? "") ? Number(environment.get(variable)) : null,
  );
  const [worker = null, generation = null, index = null, keeper = null] = numbers;
  if (!isHere || worker === null || generation === null || keeper === null) return null;
  return { worker, generation, index: index ?? 0, keeper };
};

const socketsOf = (processes: ProcessTable, pid: number): ReadonlySet<number> => {
  const open = processes.descriptors(pid);
  const targets = open.kind === "shown" ? open.descriptors.map(({ target }) => target) : [];
  return new Set(targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []).map(Number));
};

/** Two workers with one id are of different cranks: the one that was started last counts. */
const oneOfEach = (workers: readonly Orphan[]): readonly Orphan[] => {
  const inOrder = [...workers].sort((a, b) => a.facts.startTime - b.facts.startTime);
  return [...new Map(inOrder.map((orphan) => [orphan.worker, orphan])).values()].sort((a, b) => a.worker - b.worker);
};

const UNIX_TYPES = { stream: SOCK_STREAM, seqpacket: SOCK_SEQPACKET, datagram: SOCK_DGRAM } as const;
const isLiteral = (host: string): boolean => /^[\d.]+$|:/.test(host);

/** Whether the socket is bound to this address. A host name, or no host, may be any address. */
const isAt = (address: Address, { type, at }: BoundSocket): boolean => {
  if (address.kind === "unix") return "path" in at && at.path === address.path && type === UNIX_TYPES[address.type];
  if (address.kind !== "internet" || !("port" in at) || address.port === 0) return false;
  const isKind = type === (address.transport === "tcp" ? SOCK_STREAM : SOCK_DGRAM);
  return isKind && at.port === address.port && (!isLiteral(address.host) || at.host === address.host);
};

const openSocket = (address: Address, bind: number, { type, at }: BoundSocket): OpenSocket => {
  const shown = address.kind === "internet" && "port" in at ? { ...address, host: at.host, port: at.port } : address;
  const domain = "path" in at ? AF_UNIX : at.host.includes(":") ? AF_INET6 : AF_INET;
  return { handle: bindHandle(bind), bind, domain, type, address: formatAddress(shown) };
};

/** Makes the journal that is missing; null: the record holds no spec for these workers. */
export const reconstruct = (search: Search, { workers, sockets }: Orphans, now: number): Reconstruction | null => {
  const { settings, history } = search;
  const newest = history.at(-1);
  if (!newest) return null;
  const specOf = (number: number): Spec => history.find((good) => good.generation === number)?.spec ?? newest.spec;
  const serving = workers.filter(({ holds }) => holds || settings.binds.length === 0);
  const numbers = [...new Set(workers.map(({ generation }) => generation))];
  const recorded = serving.filter(({ generation }) => history.some((good) => good.generation === generation));
  const current = Math.max(...(recorded.length > 0 ? recorded : workers).map(({ generation }) => generation));
  const count = serving.filter(({ generation }) => generation === current).length;
  const base = initialState({ respawn: respawnOf(settings), history, manner: settings.manner });
  const service = {
    ...base.service,
    current: serving.length === 0 ? null : current,
    nextWorker: Math.max(...workers.map(({ worker }) => worker)) + 1,
    nextGeneration: Math.max(base.service.nextGeneration, ...numbers.map((number) => number + 1)),
  };
  const generations = numbers.map((number): Generation => {
    const spec = specOf(number);
    const instances = number === current ? Math.max(spec.instances, count) : spec.instances;
    return { number, spec, instances, retrying: [], createdAt: now, createdAtWall: search.platform.wallNow() };
  });
  const indexes = new Set<number>();
  const living = workers.map((orphan): Worker => {
    const common = {
      id: orphan.worker,
      generation: orphan.generation,
      index: freeIndex(indexes, orphan.index),
      attempt: 1,
      pid: orphan.facts.pid,
      startTime: orphan.facts.startTime,
      startedAt: now,
    };
    if (serving.includes(orphan)) return { ...common, kind: "ready", readyAt: now, availableAt: null };
    // It has closed its sockets, so it is stopping.
    const stepAfterMs = specOf(orphan.generation).stopSteps[1]?.afterMs;
    const stepAt = stepAfterMs === undefined ? null : now + stepAfterMs;
    return { ...common, kind: "stopping", stoppingAt: now, wasReady: true, nextStep: 1, stepAt, failure: null };
  });
  const entries = {
    format: FORMAT,
    settings,
    service,
    ...Object.fromEntries(generations.map((generation) => [`generation/${generation.number}`, generation])),
    ...Object.fromEntries(living.map((worker) => [`worker/${worker.id}`, worker])),
    ...Object.fromEntries(sockets.map((socket) => [`socket/${socket.handle}`, socket])),
    ...Object.fromEntries(workers.map(({ worker, keeper }) => [`said/${worker}`, { keeper }])),
  };
  const isUncertain = serving.some(({ generation }) => generation !== newest.generation);
  return { entries, isUncertain };
};

/** The wanted index if it is free, else the lowest free one. */
const freeIndex = (used: Set<number>, wanted: number): number => {
  let index = wanted;
  for (let lowest = 0; used.has(index); lowest++) index = lowest;
  used.add(index);
  return index;
};
