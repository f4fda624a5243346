// The workers' processes in a world around the core: how each starts, answers, and ends, at random.

import type { CoreEvent } from "../../../src/core/model/events.ts";
import type { Ending } from "../../../src/core/model/worker.ts";
import { type Behaviour, calmBehaviour, type Quality, randomBehaviour, randomQuality } from "../behaviour.ts";
import type { Random } from "../random.ts";
import type { Timeline } from "../timeline.ts";

/** How long an operator waits before ending a process that hangs or does not stop, and that its spec does not end. */
const PATIENCE_MS = 600_000;
type Process = {
  readonly behaviour: Behaviour;
  pid: number | null;
  begunAt: number;
  /** How the main process ended while the rest still lives. */
  ended: string | null;
  isGone: boolean;
};
/** What the processes need of the world that they are in. */
type Surroundings = {
  readonly random: Random;
  readonly timeline: Timeline;
  /** For the answers to probes. */
  readonly answers: Timeline;
  readonly now: () => number;
  readonly isCalm: () => boolean;
  readonly generationOf: (worker: number) => number;
  readonly nextPid: () => number;
  /** The keeper receives the event at once, or after `afterMs`. */
  readonly push: (event: CoreEvent) => void;
  readonly tell: (afterMs: number, event: CoreEvent) => void;
  readonly fail: (message: string) => never;
};

export class CoreProcesses {
  readonly #world: Surroundings;
  readonly #processes = new Map<number, Process>();
  readonly #qualities = new Map<number, Quality>();

  constructor(world: Surroundings) {
    this.#world = world;
  }

  get areAlive(): boolean {
    return [...this.#processes.values()].some((process) => !process.isGone);
  }

  start(worker: number): void {
    const generation = this.#world.generationOf(worker);
    const quality = this.#qualities.get(generation) ?? randomQuality(this.#world.random);
    this.#qualities.set(generation, quality);
    const behaviour = this.#world.isCalm() ? calmBehaviour : randomBehaviour(this.#world.random, quality);
    const process: Process = { behaviour, pid: null, begunAt: 0, ended: null, isGone: false };
    this.#processes.set(worker, process);
    this.#world.timeline.plan(this.#world.now() + behaviour.spawnMs, () => {
      if (behaviour.spawnFails && !process.isGone) {
        process.isGone = true;
        this.#world.push({ kind: "spawnFailed", now: 0, worker, step: "exec", errno: 2 });
      } else if (!process.isGone) this.#begin(worker, process);
    });
  }

  #begin(worker: number, process: Process): void {
    const { start, startMs, readyTwice, dieAfterMs, dieWith } = process.behaviour;
    process.pid = this.#world.nextPid();
    process.begunAt = this.#world.now();
    this.#world.push({ kind: "spawned", now: 0, worker, pid: process.pid, startTime: this.#world.now() });
    if (start === "hang") return this.#exitAfter(worker, process, PATIENCE_MS, "exit 1");
    if (start !== "ready") return this.#exitAfter(worker, process, startMs, start === "crash" ? "exit 1" : "exit 0");
    for (const delay of readyTwice ? [startMs, startMs + 3] : [startMs]) {
      this.#world.timeline.plan(this.#world.now() + delay, () => {
        if (!process.isGone) this.#world.push({ kind: "workerReady", now: 0, at: this.#world.now(), worker });
      });
    }
    if (dieAfterMs !== null) this.#exitAfter(worker, process, startMs + dieAfterMs, dieWith);
  }

  /** A process that is ready answers a probe. One that is not fails it, or lets it time out. */
  probe(worker: number, probe: number): void {
    const process = this.#processes.get(worker);
    if (!process || process.pid === null) return this.#world.fail(`worker ${worker} was probed before it ran`);
    this.#world.answers.plan(this.#world.now() + this.#world.random.between(0, 30), () => {
      const { start, startMs } = process.behaviour;
      const hangs = !this.#world.isCalm() && this.#world.random.chance(0.2);
      const ok = start === "ready" && !process.isGone && !hangs && this.#world.now() >= process.begunAt + startMs;
      const verdict = ok ? "ok" : this.#world.random.chance(0.2) ? "unsure" : "no";
      this.#world.push({
        kind: "probed",
        now: 0,
        at: this.#world.now(),
        worker,
        probe,
        verdict,
        detail: ok ? "" : "hangs",
      });
    });
  }

  /** In the random phase, a process may fail to send WATCHDOG=1. */
  watch(worker: number, periodMs: number): void {
    if (this.#world.isCalm() || this.#world.random.chance(0.7)) return;
    this.#world.tell(this.#world.random.between(periodMs, 3 * periodMs), {
      kind: "evict",
      now: 0,
      worker,
      reason: { kind: "watchdog", afterMs: periodMs },
    });
  }

  signal(worker: number, signal: string): void {
    const process = this.#processes.get(worker);
    if (!process) this.#world.fail(`worker ${worker} was signalled and was never started`);
    else if (process.pid === null)
      this.#world.timeline.plan(this.#world.now() + process.behaviour.spawnMs + 1, () =>
        this.#obey(worker, process, signal),
      );
    else this.#obey(worker, process, signal);
  }

  #obey(worker: number, process: Process, signal: string): void {
    const { ignoresTerm, stopMs, rest } = process.behaviour;
    if (process.ended !== null) {
      const afterMs = signal === "SIGKILL" ? this.#world.random.between(0, 20) : (rest?.stopMs ?? PATIENCE_MS);
      this.#world.timeline.plan(this.#world.now() + afterMs, () => this.#end(worker, process));
      return;
    }
    if (signal === "SIGKILL") this.#exitAfter(worker, process, this.#world.random.between(0, 20), "SIGKILL");
    else this.#exitAfter(worker, process, ignoresTerm ? PATIENCE_MS : stopMs, "exit 0");
  }

  #exitAfter(worker: number, process: Process, afterMs: number, how: string): void {
    this.#world.timeline.plan(this.#world.now() + afterMs, () => {
      if (process.isGone || process.ended !== null) return;
      process.ended = how;
      const { rest } = process.behaviour;
      if (rest === null) return this.#end(worker, process);
      const ending = endingOf(how);
      this.#world.push({ kind: "mainExited", now: 0, at: this.#world.now(), worker, ending, rest: rest.count });
    });
  }

  /** All of its processes have ended. */
  #end(worker: number, process: Process): void {
    if (process.isGone) return;
    process.isGone = true;
    const ending = endingOf(process.ended ?? "");
    this.#world.push({ kind: "workerExited", now: 0, at: this.#world.now(), worker, ending, tail: "last words" });
  }
}

const endingOf = (how: string): Ending => {
  if (how.startsWith("exit ")) return { kind: "exit", code: Number(how.slice(5)) };
  return { kind: "signal", signal: how, core: how === "SIGSEGV" };
};
