// Surveys what a killed crank left: which of its workers live and are its own, and which processes hold its sockets.
// Changes nothing.
import type { State } from "../../core/model/state.ts";
import type { Worker } from "../../core/model/worker.ts";
import { allWorkers } from "../../core/model/workers.ts";
import { type Address, AddressError, formatAddress, parseUri } from "../os/addresses.ts";
import type { BoundSocket, Descriptors, Environment, ProcessFacts, ProcessRef, ProcessTable } from "../os/processes.ts";
import { SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from "../os/sockaddr.ts";
import type { Adoption, Holder, OrphanedSocket, OrphanedWorker } from "../state/parts/adoption.ts";
import type { Bind, Settings } from "../state/settings.ts";
import type { OpenSocket } from "../state/store.ts";
import { hasOnly, isNamedBy } from "../workers/notify/ownership.ts";

/** What the survey needs of a journal. `pid` is the keeper that wrote it. */
export type Orphaned = {
  readonly pid: number;
  readonly settings: Settings;
  readonly core: State;
  readonly sockets: ReadonlyMap<number, OpenSocket>;
  /** Workers that the keeper was not told to start yet. They will be started later. */
  readonly unstarted: readonly number[];
  /** The pid of the keeper that started a worker: this one, or one that was killed before it. */
  keeperOf(worker: number): number;
};

/** The crank that surveys: its user and its binds. */
export type Surveyor = {
  /** This process, which is not an orphan. */
  readonly pid: number;
  readonly uid: number;
  readonly binds: readonly Bind[];
  handleOf(bind: number): number;
};

/** No pid is larger (proc_sys_kernel(5), pid_max). */
const MOST_PIDS = 2 ** 22;
const isPid = (number: number): boolean => Number.isInteger(number) && number > 1 && number <= MOST_PIDS;

const FIRST_FD = 3;
const O_RDWR = 2;

/** Surveys everything. `adoption.workers` is empty if no worker is left. */
export const survey = async (processes: ProcessTable, orphaned: Orphaned, surveyor: Surveyor): Promise<Adoption> => {
  const inspector = new Inspector(processes, orphaned, surveyor);
  const workers: OrphanedWorker[] = [];
  const lost: { id: number; reason: string }[] = [];
  for (const worker of allWorkers(orphaned.core.workers)) {
    if (orphaned.unstarted.includes(worker.id)) continue;
    const found = await (worker.pid === null
      ? inspector.findIntended(worker)
      : inspector.recognise(worker, worker.pid));
    const rest = "reason" in found ? await inspector.restOf(worker) : null;
    if (rest !== null) workers.push(rest);
    else if ("reason" in found) lost.push({ id: worker.id, reason: found.reason });
    else workers.push(inspector.describe(worker, found));
  }
  const holders = workers.flatMap(({ id, pid, startTime, rest }) =>
    (rest ?? [{ pid, startTime }]).map((holder) => ({ worker: id, ...holder })),
  );
  const sockets = surveyor.binds.flatMap((bind, index) => inspector.findSocket(bind, index, holders) ?? []);
  return { pid: orphaned.pid, sockets, workers, lost };
};

/** Processes that hold the sockets but are not workers, as sentences. Searches all processes. */
export const strangers = (
  processes: ProcessTable,
  orphaned: Orphaned,
  surveyor: Surveyor,
  { workers }: Adoption,
): readonly string[] => new Inspector(processes, orphaned, surveyor).strangers(workers);

type Recognised = ProcessFacts | { readonly reason: string };

class Inspector {
  readonly #processes: ProcessTable;
  readonly #orphaned: Orphaned;
  readonly #surveyor: Surveyor;
  readonly #bound: ReadonlyMap<number, BoundSocket>;
  readonly #descriptors = new Map<number, Descriptors>();
  /** The inodes of the old sockets, by the index of their old bind. */
  readonly #inodes: ReadonlyMap<number, ReadonlySet<number>>;

  constructor(processes: ProcessTable, orphaned: Orphaned, surveyor: Surveyor) {
    this.#processes = processes;
    this.#orphaned = orphaned;
    this.#surveyor = surveyor;
    this.#bound = processes.sockets();
    this.#inodes = new Map(
      [...orphaned.sockets.values()].flatMap((socket) =>
        socket.bind === null ? [] : [[socket.bind, this.#inodesAt(socket)] as const],
      ),
    );
  }

  /**
   * Whether `pid` still is this worker. Pid and start time identify a process; its user proves that it is not an
   * impostor.
   */
  async recognise(worker: Worker, pid: number): Promise<Recognised> {
    const facts = this.#processes.facts(pid);
    if (!facts) return { reason: `process ${pid} is gone` };
    if (facts.startTime !== worker.startTime) return { reason: `process ${pid} is another process now, started later` };
    const owner = this.#ownerOf(worker);
    if (facts.uids.includes(owner) || (await this.#isProvenBy(worker, facts))) return facts;
    return {
      reason: `process ${pid} belongs to user ${facts.uids[0]}, not ${owner}, and nothing else identifies it as this worker`,
    };
  }

  /**
   * The process of a start that was requested just before the crash, if there is one. Another user's process could have
   * the same environment, so it must have only the worker's user ids.
   */
  async findIntended(worker: Worker): Promise<Recognised> {
    const taken = new Set(allWorkers(this.#orphaned.core.workers).map(({ pid }) => pid));
    const owner = this.#ownerOf(worker);
    const candidates = this.#processes.list().flatMap((pid) => {
      const facts = taken.has(pid) || pid === this.#surveyor.pid ? null : this.#processes.facts(pid);
      if (!facts || !hasOnly(facts, [owner]) || this.#descendsFrom(pid, taken)) return [];
      return facts;
    });
    for (const facts of candidates) if (await this.#isNamed(worker, facts.pid)) return facts;
    const nameless: ProcessFacts[] = [];
    for (const facts of candidates) if (await this.#mayBe(facts)) nameless.push(facts);
    const [only, ...others] = nameless;
    if (only && others.length === 0) return only;
    if (only) return { reason: "its start had just been requested, and more than one process matches" };
    return { reason: "its start had just been requested, and no process matches" };
  }

  /**
   * What is left of a worker whose main process has ended. It is adopted only to be stopped. null: nothing is left. If
   * the start was only requested, the processes that it started say which pid the main process had.
   */
  async restOf(worker: Worker): Promise<OrphanedWorker | null> {
    const { id } = worker;
    if (worker.pid !== null && this.#processes.facts(worker.pid)?.startTime === worker.startTime) return null;
    const rest: ProcessRef[] = [];
    let { pid } = worker;
    for (const other of this.#processes.list()) {
      const facts = other === this.#surveyor.pid ? null : this.#processes.facts(other);
      if (!facts || facts.startTime < worker.startTime || !hasOnly(facts, [this.#ownerOf(worker)])) continue;
      const environment = await this.#processes.environment(other);
      const main = Number(environment?.get("LISTEN_PID"));
      // The first process would be the worker's main process, which has ended.
      if (main === other || !this.#isStartedBy(worker, environment)) continue;
      rest.push({ pid: other, startTime: facts.startTime });
      if (pid === null && isPid(main)) pid = main;
    }
    if (pid === null || rest.length === 0) return null;
    const others = rest.length === 1 ? "1 other process of it is" : `${rest.length} other processes of it are`;
    const losses = [`has ended; ${others} left`];
    return { id, pid, startTime: worker.startTime, output: null, losses, rest };
  }

  describe(worker: Worker, { pid, startTime }: ProcessFacts): OrphanedWorker {
    const losses: string[] = [];
    const output = this.#outputOf(pid, losses);
    if (worker.kind === "starting")
      losses.push("was still starting: if it sent READY=1 while no crank ran, that is lost");
    return { id: worker.id, pid, startTime, output, losses };
  }

  /** The holders of the socket that this bind had; null if the crank before did not have it. */
  findSocket(bind: Bind, index: number, workers: readonly Omit<Holder, "fd">[]): OrphanedSocket | null {
    const old = this.#oldSocket(bind, index);
    if (!old || old.bind === null) return null;
    const inodes = this.#inodes.get(old.bind) ?? new Set();
    const holders: Holder[] = [];
    const fails: string[] = [];
    const usual = FIRST_FD + old.bind;
    for (const worker of workers) {
      const open = this.#open(worker.pid);
      if (open.kind === "hidden") {
        fails.push(`${nameOf(worker)}: its descriptors cannot be seen: ${open.reason}`);
        holders.push({ ...worker, fd: usual });
        continue;
      }
      const fds = open.descriptors.flatMap(({ fd, target }) => (inodes.has(inodeOf(target, "socket")) ? [fd] : []));
      const fd = fds.includes(usual) ? usual : fds[0];
      if (fd === undefined) fails.push(`${nameOf(worker)} has closed it`);
      else holders.push({ ...worker, fd });
    }
    return { handle: this.#surveyor.handleOf(index), uri: bind.uri, address: old.address, holders, taken: null, fails };
  }

  strangers(workers: readonly OrphanedWorker[]): readonly string[] {
    const known = new Set(workers.map(({ pid }) => pid));
    const inodes = this.#allInodes();
    return this.#processes.list().flatMap((pid) => {
      if (pid === this.#surveyor.pid || known.has(pid) || inodes.size === 0 || !this.#holds(pid, inodes)) return [];
      if (this.#descendsFrom(pid, known)) return [];
      return [`Process ${pid} holds a socket of this service but is not a known worker; it is not touched`];
    });
  }

  #ownerOf(worker: Worker): number {
    return this.#orphaned.core.generations[worker.generation]?.spec.user?.uid ?? this.#surveyor.uid;
  }

  /** A worker that changed its user is identified by its sockets or its environment. */
  async #isProvenBy(worker: Worker, { pid }: ProcessFacts): Promise<boolean> {
    return this.#holds(pid, this.#allInodes()) || (await this.#isNamed(worker, pid));
  }

  /** LISTEN_PID is the pid that the keeper set, so it does not match processes that the worker started. */
  async #isNamed(worker: Worker, pid: number): Promise<boolean> {
    const environment = await this.#processes.environment(pid);
    return environment?.get("LISTEN_PID") === String(pid) && this.#isStartedBy(worker, environment);
  }

  /** Whether the environment is the one that the worker was given and passes on. */
  #isStartedBy({ id, generation }: Worker, environment: Environment | null): boolean {
    const { settings, core } = this.#orphaned;
    return isNamedBy(environment, {
      service: settings.name,
      keeper: this.#orphaned.keeperOf(id),
      worker: id,
      generation,
      changes: core.generations[generation]?.spec.env ?? {},
    });
  }

  /** Whether it may be a worker that overwrote its environment: it holds the sockets and leads a process group. */
  async #mayBe({ pid, group }: ProcessFacts): Promise<boolean> {
    if (group !== pid || !this.#holds(pid, this.#allInodes())) return false;
    // A process that names another worker, or another crank, is not this one.
    return (await this.#processes.environment(pid))?.has("CRANK_WORKER") !== true;
  }

  #allInodes(): ReadonlySet<number> {
    return new Set([...this.#inodes.values()].flatMap((set) => [...set]));
  }

  #descendsFrom(pid: number, ancestors: ReadonlySet<number | null>): boolean {
    for (let at = pid, step = 0; step < MOST_ANCESTORS; step++) {
      const parent = this.#processes.facts(at)?.parent ?? 0;
      if (parent <= 1) return false;
      if (ancestors.has(parent)) return true;
      at = parent;
    }
    return false;
  }

  #open(pid: number): Descriptors {
    const known = this.#descriptors.get(pid) ?? this.#processes.descriptors(pid);
    this.#descriptors.set(pid, known);
    return known;
  }

  #holds(pid: number, inodes: ReadonlySet<number>): boolean {
    const open = this.#open(pid);
    return open.kind === "shown" && open.descriptors.some(({ target }) => inodes.has(inodeOf(target, "socket")));
  }

  /** Its output pipe is the one that it has open for reading and writing. Only crank opens pipes like that. */
  #outputOf(pid: number, losses: string[]): number | null {
    if (this.#orphaned.settings.logFormat === "raw") return null;
    const open = this.#open(pid);
    if (open.kind === "hidden") {
      losses.push(`keeps writing to its pipe, which cannot be recovered: ${open.reason}`);
      return null;
    }
    const pipe = open.descriptors.find(
      ({ fd, target }) => target.startsWith("pipe:") && this.#processes.accessMode(pid, fd) === O_RDWR,
    );
    if (!pipe) losses.push("has closed its output, so its lines are not logged");
    return pipe?.fd ?? null;
  }

  /** The old socket of this bind: the one with the same address, at the same place first. */
  #oldSocket(bind: Bind, index: number): OpenSocket | null {
    const before = this.#orphaned.settings.binds;
    const olds = [...this.#orphaned.sockets.values()];
    const at = (index: number) => olds.find((socket) => socket.bind === index) ?? null;
    const isSame = (other: Bind | undefined) =>
      other !== undefined && formatAddress(other.address) === formatAddress(bind.address);
    if (isSame(before[index])) return at(index);
    const elsewhere = before.findIndex(isSame);
    return elsewhere < 0 ? null : at(elsewhere);
  }

  #inodesAt(socket: OpenSocket): ReadonlySet<number> {
    const wanted = addressOf(socket);
    const found = new Set<number>();
    for (const [inode, bound] of this.#bound) {
      if (wanted && bound.type === socket.type && isAt(wanted, bound)) found.add(inode);
    }
    return found;
  }
}

const MOST_ANCESTORS = 64;

const nameOf = ({ worker, pid }: { readonly worker: number; readonly pid: number }): string =>
  `worker ${worker} (pid ${pid})`;

const inodeOf = (target: string, kind: "socket"): number =>
  target.startsWith(`${kind}:[`) ? Number(target.slice(kind.length + 2, -1)) : -1;

/** The address of a socket; null if no URI can express it. */
const addressOf = ({ address }: OpenSocket): Address | null => {
  try {
    return parseUri(address).address;
  } catch (error) {
    if (error instanceof AddressError) return null;
    throw error;
  }
};

const UNIX_TYPES = { stream: SOCK_STREAM, seqpacket: SOCK_SEQPACKET, datagram: SOCK_DGRAM } as const;

const isAt = (address: Address, { type, at }: BoundSocket): boolean => {
  if (address.kind === "unix") return "path" in at && at.path === address.path && type === UNIX_TYPES[address.type];
  return address.kind === "internet" && "port" in at && at.port === address.port && at.host === address.host;
};
