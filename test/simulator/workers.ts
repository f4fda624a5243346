// The simulated keeper's workers: from the spawn command to the exit that a commit has consumed.
import type { PostedEvent } from "./events.ts";
import { SimulatedWatchdogs } from "./watchdogs.ts";
import type { CommandOf, Failing, SimulatedWorld } from "./world.ts";

type State = "starting" | "running" | "lingering" | "told";
type Worker = {
  readonly id: number;
  readonly start: number;
  pid: number;
  startTime: number;
  state: State;
  tail: string[];
  /** Its exit status cannot be collected. */
  readonly isAdopted: boolean;
  /** How its main process ended. */
  ending: Ending | null;
};

/** As in `exited`. */
export type Ending = { readonly ending: 0 | 1 | 2 | 3; readonly status: number };

const UNKNOWN: Ending = { ending: 3, status: 0 };
const ESRCH = 3;
const EEXIST = 17;
const ENOTCONN = 107;
const TAIL_LINES = 20;
const STATES = { starting: 0, running: 1, told: 2, lingering: 3 } as const;

export class SimulatedWorkers {
  readonly #world: SimulatedWorld;
  readonly #post: (happening: PostedEvent) => void;
  readonly #workers = new Map<number, Worker>();
  readonly #watchdogs: SimulatedWatchdogs;
  #starts = 0;

  /** `ring` posts events that happen by themselves, not during a call. */
  constructor(world: SimulatedWorld, post: (happening: PostedEvent) => void, ring: (happening: PostedEvent) => void) {
    this.#world = world;
    this.#post = post;
    this.#watchdogs = new SimulatedWatchdogs(world, ring);
  }

  /** The number of starts so far. */
  get starts(): number {
    return this.#starts;
  }

  /** Whether the results of the first `start` starts are known. */
  isDecided(start: number): boolean {
    return ![...this.#workers.values()].some((worker) => worker.state === "starting" && worker.start <= start);
  }

  get alive(): number {
    return [...this.#workers.values()].filter((worker) => worker.state !== "told").length;
  }

  hello(): {
    readonly kind: "helloWorker";
    readonly worker: number;
    readonly pid: number;
    readonly startTime: number;
    readonly state: number;
  }[] {
    return [...this.#workers.values()].map(({ id, pid, startTime, state }) => ({
      kind: "helloWorker",
      worker: id,
      pid,
      startTime,
      state: STATES[state],
    }));
  }

  spawn(command: CommandOf<"spawn">): void {
    this.#starts += 1;
    const id = command.worker;
    if (this.#workers.has(id)) return this.#post({ kind: "spawnFailed", worker: id, step: "worker", errno: EEXIST });
    this.#workers.set(id, {
      id,
      start: this.#starts,
      pid: 0,
      startTime: 0,
      state: "starting",
      tail: [],
      isAdopted: false,
      ending: null,
    });
    this.#world.startProcess(command);
  }

  /** Adopts a process that another keeper started. Returns why that failed, or null. */
  adopt(command: CommandOf<"adopt">): Failing | null {
    const { worker: id, pid, startTime } = command;
    const found = this.#world.adoptProcess(command);
    if (found === "gone") return { step: "process", errno: ESRCH };
    this.#workers.set(id, { id, start: 0, pid, startTime, state: "running", tail: [], isAdopted: true, ending: null });
    this.#post({ kind: "spawned", worker: id, pid, startTime });
    if (found !== "main") this.mainExited(id, UNKNOWN, found.rest);
    return null;
  }

  started(id: number, pid: number, startTime: number): void {
    const worker = this.#workers.get(id);
    if (worker?.state !== "starting") return;
    Object.assign(worker, { pid, startTime, state: "running" });
    this.#post({ kind: "spawned", worker: id, pid, startTime });
  }

  /** It stays known until that is consumed: a hello lists every worker about which an event is outstanding. */
  notStarted(id: number, { step, errno }: Failing): void {
    const worker = this.#workers.get(id);
    if (worker?.state !== "starting") return;
    worker.state = "told";
    this.#post({ kind: "spawnFailed", worker: id, step, errno });
  }

  /** Signalling a worker that is gone is not an error: its exit is outstanding or was delivered. */
  signal(command: CommandOf<"signal">): void {
    const worker = this.#workers.get(command.worker);
    if (worker && worker.state !== "told") this.#world.signalProcess(command.worker, command.signal);
  }

  say(id: number, line: string): void {
    const worker = this.#workers.get(id);
    if (worker?.state !== "running") return;
    worker.tail.push(line);
    if (worker.tail.length > TAIL_LINES) worker.tail.shift();
  }

  datagram(
    id: number,
    bytes: Uint8Array,
    sender: { readonly pid: number; readonly uid: number; readonly gid: number },
    descriptors: number,
  ): void {
    const worker = this.#workers.get(id);
    const isThere = worker?.state === "running" || worker?.state === "lingering";
    if (!isThere || this.#watchdogs.hears(id, worker.pid, sender.pid, bytes)) return;
    this.#post({ kind: "datagram", worker: id, source: 1, ...sender, flags: 0, descriptors, bytes });
  }

  watch(command: CommandOf<"watchdog">): void {
    if (this.#workers.get(command.worker)?.state === "running") this.#watchdogs.set(command);
  }

  /** Any process is assumed to exist. */
  followMain({ worker: id, pid, startTime }: CommandOf<"followMain">): void {
    const worker = this.#workers.get(id);
    if (worker?.state !== "running") return;
    Object.assign(worker, { pid, startTime });
    this.#post({ kind: "moved", worker: id, pid, startTime });
  }

  /** Why `sendDatagram` to this worker fails; null: it is running. */
  missing(id: number): Failing | null {
    return this.#workers.get(id)?.state === "running" ? null : { step: "send", errno: ENOTCONN };
  }

  /** Whether there is a running process with this start time. */
  isThere(pid: number, startTime: number): boolean {
    for (const worker of this.#workers.values())
      if (worker.state === "running" && worker.pid === pid && worker.startTime === startTime) return true;
    return false;
  }

  /** Its main process has ended, and `rest` others of its tree have not. */
  mainExited(id: number, ending: Ending, rest: number): void {
    const worker = this.#workers.get(id);
    if (worker?.state !== "running") return;
    worker.state = "lingering";
    worker.ending = worker.isAdopted ? UNKNOWN : ending;
    this.#watchdogs.forget(id);
    this.#post({ kind: "mainExited", worker: id, pid: worker.pid, ...worker.ending, rest });
  }

  /** Processes of its tree were killed. */
  killed(id: number, processes: readonly { readonly pid: number; readonly command: string }[]): void {
    const pids = processes.map(({ pid }) => pid);
    const commands = processes.map(({ command }) => command);
    this.#post({ kind: "killed", worker: id, count: processes.length, pids, commands });
  }

  /** All of its processes have ended. */
  exited(id: number, ending: Ending): void {
    const worker = this.#workers.get(id);
    if (worker?.state !== "running" && worker?.state !== "lingering") return;
    worker.state = "told";
    this.#watchdogs.forget(id);
    const tail = new TextEncoder().encode(worker.tail.map((line) => `${line}\n`).join(""));
    const how = worker.ending ?? (worker.isAdopted ? UNKNOWN : ending);
    this.#post({ kind: "exited", worker: id, pid: worker.pid, ...how, tail });
  }

  /** The commit has consumed its exit, or its failed start: it is forgotten. */
  endConsumed(id: number): void {
    if (this.#workers.get(id)?.state === "told") this.#workers.delete(id);
  }
}
