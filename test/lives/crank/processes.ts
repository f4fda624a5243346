// The workers' processes in a simulated life: how each starts, reports, stores descriptors, and ends, at random.

import { PROTOCOL_VERSION } from "../../../src/keeper/protocol.ts";
import { kindOf } from "../../../src/supervisor/state/process-ids.ts";
import type { SimulatedKeeper } from "../../simulator/keeper.ts";
import type { Ending } from "../../simulator/workers.ts";
import type { CommandOf } from "../../simulator/world.ts";
import { type Behaviour, calmBehaviour, type Quality, randomBehaviour, randomQuality } from "../behaviour.ts";
import { Random } from "../random.ts";
import type { LeftProcess } from "./left.ts";
import { LeftDescriptors } from "./stored.ts";

type Process = {
  readonly behaviour: Behaviour;
  readonly isWatched: boolean;
  readonly environment: ReadonlyMap<string, string>;
  /** It does not hold the socket, but listens elsewhere. */
  readonly isAstray: boolean;
  pid: number;
  startTime: number;
  /** `lingering`: the main process has ended, and the rest has not. */
  state: "starting" | "running" | "lingering" | "gone";
  ending: Ending;
};

export const PATIENCE_MS = 600_000;
/** Pids from here on are of processes that workers started. */
const FIRST_OF_RESTS = 100_000;
const FEED_MS = 15_000;
export const SIGNALS = { SIGTERM: 15, SIGKILL: 9, SIGSEGV: 11, SIGUSR1: 10 } as const;

/** What the processes need of the world that they are in. */
type Surroundings = {
  readonly random: Random;
  /** Random numbers for upgrades only. */
  readonly upgradeFate: Random;
  readonly keepers: "live" | "die";
  readonly keeper: () => SimulatedKeeper;
  readonly isFirstKeeper: () => boolean;
  readonly isCalm: () => boolean;
  readonly now: () => number;
  readonly after: (ms: number, happen: () => void) => void;
  readonly fail: (message: string) => never;
};

export class Processes {
  readonly #world: Surroundings;
  readonly #processes = new Map<number, Process>();
  readonly #saidReady = new Set<number>();
  readonly #qualities = new Map<string, Quality>();
  /** The descriptors that workers have stored. */
  readonly stored = new LeftDescriptors(
    (worker) => this.#processes.get(worker)?.state !== "gone",
    (worker) => this.#saidReady.has(worker),
  );
  #pids = 100;
  /** For the memory of workers. */
  readonly #sizes: Random;
  /** For which workers do not hold the socket. */
  readonly #straying: Random;

  constructor(seed: number, world: Surroundings) {
    this.#world = world;
    this.#sizes = new Random(seed ^ 0x517e);
    this.#straying = new Random(seed ^ 0x50c7);
  }

  /** The main processes that run. */
  living(): readonly Process[] {
    return [...this.#processes.values()].filter((process) => process.state === "running");
  }

  /** Processes of workers whose main process has ended. */
  #rests(): readonly LeftProcess[] {
    return [...this.#processes.values()].flatMap(({ state, pid, startTime, environment }) =>
      state === "lingering" ? [{ pid: pid + FIRST_OF_RESTS, startTime: startTime + 1, environment, first: pid }] : [],
    );
  }

  /** All processes of workers: the main ones, and what is left of workers whose main process has ended. */
  all(): readonly (Process | LeftProcess)[] {
    return [...this.living(), ...this.#rests()];
  }

  /** Whether the process does not hold the socket. */
  isAstray(pid: number): boolean {
    return [...this.#processes.values()].some((process) => process.pid === pid && process.isAstray);
  }

  /** Ends those that would not do what they are asked for. */
  calmDown(): void {
    for (const [worker, process] of this.#processes)
      if (process.behaviour.start !== "ready" || process.behaviour.ignoresTerm || process.isAstray)
        this.#exit(worker, process, "SIGKILL");
  }

  /** The keeper was killed: of the processes that it was starting, some run and some do not. */
  keeperKilled(fate: Random): void {
    for (const [worker, process] of this.#processes) {
      if (process.state !== "starting") continue;
      if (fate.chance(0.5)) process.state = "gone";
      else this.#begin(worker, process);
    }
  }

  adopt({ worker, pid }: CommandOf<"adopt">): "main" | { readonly rest: number } | "gone" {
    const process = this.#processes.get(worker);
    if (process?.pid !== pid) return "gone";
    if (process.state === "lingering") return { rest: process.behaviour.rest?.count ?? 1 };
    return process.state === "running" ? "main" : "gone";
  }

  start(command: CommandOf<"spawn">): void {
    const { worker } = command;
    if (kindOf(worker) === "upgradeCheck") return this.#check(worker);
    if (kindOf(worker) === "measurement") return this.#measure(command);
    const before = this.#processes.get(worker);
    // If no worker of a service is left, the next keeper begins again, with its numbers too.
    if (before && (before.state !== "gone" || this.#world.isFirstKeeper()))
      this.#world.fail(`the number of worker ${worker} was used before`);
    const wrong = this.stored.started(command);
    if (wrong !== null) this.#world.fail(wrong);
    const generation = command.env.find(([name]) => name === "CRANK_GENERATION")?.[1] ?? "";
    const quality = this.#qualities.get(generation) ?? randomQuality(this.#world.random);
    this.#qualities.set(generation, quality);
    const behaviour = this.#world.isCalm() ? calmBehaviour : randomBehaviour(this.#world.random, quality);
    this.#pids += 1;
    const isWatched = command.env.some(([name]) => name === "WATCHDOG_USEC");
    const process: Process = {
      ...{ behaviour, isWatched, environment: new Map(command.env), pid: this.#pids },
      isAstray: !this.#world.isCalm() && this.#straying.chance(0.05),
      ...{ startTime: 0, state: "starting", ending: { ending: 3, status: 0 } },
    };
    this.#processes.set(worker, process);
    this.#world.after(behaviour.spawnMs, () => this.#begin(worker, process));
  }

  /** The check of an upgrade: the new program answers and ends; some answers are wrong. */
  #check(worker: number): void {
    this.#world.after(1, () => this.#world.keeper().processStarted(worker, 99, this.#world.now()));
    const fails = this.#world.upgradeFate.chance(0.1);
    this.#world.after(this.#world.upgradeFate.between(5, 50), () => {
      if (!fails) this.#world.keeper().processNotifies(worker, CHECKED, { pid: 99, uid: 0, gid: 0 });
      this.#world.keeper().processExited(worker, { ending: 0, status: fails ? 1 : 0 });
    });
  }

  /** Reports the memory of the given workers. Some measurements end without a result. */
  #measure({ worker, args }: CommandOf<"spawn">): void {
    const fails = this.#sizes.chance(0.2);
    const lines = args.flatMap((word) => {
      const id = /^(\d+):\d+:\d+$/.exec(word)?.[1];
      return id === undefined ? [] : [`w ${id} 1 ${this.#sizes.between(0, 1100)} 10 -\n`];
    });
    this.#world.after(1, () => this.#world.keeper().processStarted(worker, 98, this.#world.now()));
    this.#world.after(this.#sizes.between(2, 60), () => {
      const said = new TextEncoder().encode(`${lines.join("")}end\n`);
      if (!fails) this.#world.keeper().processNotifies(worker, said, { pid: 98, uid: 0, gid: 0 });
      this.#world.keeper().processExited(worker, { ending: 0, status: fails ? 1 : 0 });
    });
  }

  #begin(worker: number, process: Process): void {
    const { behaviour, pid } = process;
    if (process.state !== "starting") return;
    if (behaviour.spawnFails) {
      process.state = "gone";
      return this.#world.keeper().processNotStarted(worker, { step: "exec", errno: 2 });
    }
    process.state = "running";
    process.startTime = this.#world.now();
    this.#world.keeper().processStarted(worker, pid, this.#world.now());
    if (behaviour.start === "hang") return this.#exitAfter(PATIENCE_MS, worker, process, "exit 1");
    if (behaviour.start !== "ready")
      return this.#exitAfter(behaviour.startMs, worker, process, behaviour.start === "crash" ? "exit 1" : "exit 0");
    for (const delay of behaviour.readyTwice ? [behaviour.startMs, behaviour.startMs + 3] : [behaviour.startMs])
      this.#world.after(delay, () => {
        if (process.state !== "running") return;
        this.#saidReady.add(worker);
        this.#world.keeper().processNotifies(worker, READY, { pid, uid: 0, gid: 0 });
      });
    this.#speak(worker, process);
    if (behaviour.dieAfterMs !== null)
      this.#exitAfter(behaviour.startMs + behaviour.dieAfterMs, worker, process, behaviour.dieWith);
  }

  /** Sends its messages other than READY=1. */
  #speak(worker: number, process: Process): void {
    const { startMs, words, wordsAfterMs, forgetsWatchdog } = process.behaviour;
    if (words !== null) this.#world.after(startMs + wordsAfterMs, () => this.#notify(worker, process, words));
    if (!process.isWatched || forgetsWatchdog) return;
    const feed = (): void => {
      this.#notify(worker, process, "WATCHDOG=1");
      if (process.state === "running") this.#world.after(FEED_MS, feed);
    };
    this.#world.after(startMs, feed);
  }

  #notify(worker: number, { state, pid }: Process, words: string): void {
    if (state === "running")
      this.#world.keeper().processNotifies(worker, new TextEncoder().encode(words), { pid, uid: 0, gid: 0 });
  }

  signal(worker: number, signal: number): void {
    if (kindOf(worker) === "upgradeCheck") return;
    const process = this.#processes.get(worker);
    if (!process || process.state === "gone" || signal === SIGNALS.SIGUSR1) return;
    const { ignoresTerm, stopMs, rest } = process.behaviour;
    if (process.state === "lingering") {
      const afterMs = signal === SIGNALS.SIGKILL ? 5 : (rest?.stopMs ?? PATIENCE_MS);
      return this.#world.after(afterMs, () => this.#empty(worker, process));
    }
    if (signal === SIGNALS.SIGKILL) return this.#exitAfter(5, worker, process, "SIGKILL");
    // Descriptors that only the keeper held are lost with it.
    const leaves = this.#world.keepers === "die" ? 0 : this.#world.random.pick([0, 0, 0, 1, 3]);
    for (let left = leaves; left > 0; left--) this.#leave(worker, process);
    this.#exitAfter(ignoresTerm ? PATIENCE_MS : stopMs, worker, process, "exit 0");
  }

  /** It stores a descriptor for a later worker. */
  #leave(worker: number, process: Process): void {
    const sender = { pid: process.pid, uid: 0, gid: 0 };
    const how = this.#world.random.pick(["sent", "numbered"] as const);
    this.#world.after(0, () => {
      if (process.state !== "running") return;
      this.#world.keeper().processNotifies(worker, this.stored.say(how), sender, how === "sent" ? 1 : 0);
    });
  }

  #exitAfter(ms: number, worker: number, process: Process, how: string): void {
    this.#world.after(ms, () => this.#exit(worker, process, how));
  }

  #exit(worker: number, process: Process, how: string): void {
    // It was signalled before it was executed, so it ends as soon as it runs.
    if (process.state === "starting") return this.#exitAfter(1, worker, process, how);
    if (process.state === "gone" || process.state === "lingering") return;
    this.#world.keeper().processSays(worker, "last words");
    process.ending = endingOf(how);
    const { rest } = process.behaviour;
    if (rest === null) return this.#empty(worker, process);
    process.state = "lingering";
    this.#world.keeper().mainProcessExited(worker, process.ending, rest.count);
  }

  /** All of its processes have ended. */
  #empty(worker: number, process: Process): void {
    if (process.state === "gone") return;
    process.state = "gone";
    this.#world.keeper().processExited(worker, process.ending);
  }
}

const endingOf = (how: string): Ending => {
  if (how.startsWith("exit ")) return { ending: 0, status: Number(how.slice(5)) };
  return { ending: 1, status: how === "SIGKILL" ? SIGNALS.SIGKILL : SIGNALS.SIGSEGV };
};

const CHECKED = new TextEncoder().encode(
  JSON.stringify({ crank: "2", protocol: PROTOCOL_VERSION, home: "/opt/crank", runtime: "/opt/crank/bin/runtime" }),
);

const READY = new TextEncoder().encode("READY=1");
