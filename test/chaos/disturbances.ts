// The disturbances of the service under chaos while an order is carried out.
import { isAlive, signal, supervisorOf } from "../e2e/harness/processes.ts";
import type { Random } from "../lives/random.ts";
import type { Stage, WorkerSeen } from "./stage.ts";
import type { Truth } from "./truth.ts";

/**
 * How a disturbance may change an order's outcome: not at all; whether an upgrade succeeds (the process killed as the
 * supervisor may be the upgrade's check); whether any order succeeds; or whether the answer arrives.
 */
export type Effect = "nothing" | "upgrade" | "outcome" | "answer";

export type Disturbance = { readonly words: string; readonly effect: Effect; happen(): Promise<void> };

const LONGEST_STOP_MS = 1500;
const LONGEST_PAUSE_MS = 300;

const NOTHING: Disturbance = { words: "nothing", effect: "nothing", happen: async () => {} };

type Kind = (typeof KINDS)[number];
const KINDS = [
  ...(["nothing", "nothing", "kill-supervisor", "kill-worker", "stop-supervisor", "stop-keeper"] as const),
  ...(["stop-worker", "kill-keeper", "kill-keeper-beside-stopped", "disk"] as const),
] as const;

export class Disturbances {
  readonly #stage: Stage;
  readonly #truth: Truth;
  readonly #random: Random;
  /** Kinds to leave out: known failures, while other faults are looked for. */
  readonly #without: ReadonlySet<string>;
  #isFull = false;

  constructor(stage: Stage, truth: Truth, random: Random, without: readonly string[]) {
    this.#without = new Set(without);
    this.#stage = stage;
    this.#truth = truth;
    this.#random = random;
  }

  get isDiskFull(): boolean {
    return this.#isFull;
  }

  next(): Disturbance {
    const random = this.#random;
    const kinds: Record<Kind, () => Disturbance> = {
      nothing: () => NOTHING,
      "kill-supervisor": () => this.#killSupervisor(random.between(1, 3)),
      "kill-worker": () => this.#killWorker(random.next()),
      "stop-supervisor": () => this.#stopSupervisor(random.between(20, LONGEST_STOP_MS)),
      "stop-keeper": () => this.#stopKeeper(random.between(20, LONGEST_STOP_MS)),
      "stop-worker": () => this.#stopWorker(random.next(), random.between(20, LONGEST_STOP_MS)),
      "kill-keeper": () => this.#killKeeper(random.between(0, LONGEST_PAUSE_MS)),
      "kill-keeper-beside-stopped": () =>
        this.#killKeeperBesideStopped(random.next(), random.between(0, LONGEST_PAUSE_MS)),
      disk: () => (this.#stage.hasDisk ? this.#turnDisk() : NOTHING),
    };
    const kind = random.pick(KINDS);
    return this.#without.has(kind) ? NOTHING : kinds[kind]();
  }

  /** Frees the disk. */
  freeDisk(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#stage.free();
    this.#truth.log("  disk freed");
  }

  async #ready(): Promise<readonly WorkerSeen[]> {
    const { workers } = await this.#stage.status();
    return workers.filter(({ state, pid }) => state === "ready" && pid !== null);
  }

  /** A ready worker, chosen by a number below 1. */
  async #chosen(chance: number): Promise<number | null> {
    const ready = await this.#ready();
    return ready[Math.floor(chance * ready.length)]?.pid ?? null;
  }

  #killSupervisor(times: number): Disturbance {
    return {
      words: `kill the supervisor, ${times} times if it is awake`,
      effect: "upgrade",
      happen: async () => {
        for (let count = 0; count < times; count++) {
          const pid = supervisorOf(this.#stage.crank);
          if (pid !== undefined) signal(pid, "SIGKILL");
          await Bun.sleep(30);
        }
      },
    };
  }

  #killWorker(chance: number): Disturbance {
    return {
      words: "kill a worker",
      effect: "outcome",
      happen: async () => {
        const pid = await this.#chosen(chance);
        if (pid === null) return;
        this.#truth.killed(pid);
        this.#truth.log(`  SIGKILL to worker ${pid}`);
        signal(pid, "SIGKILL");
      },
    };
  }

  #stopSupervisor(ms: number): Disturbance {
    const find = async () => supervisorOf(this.#stage.crank) ?? null;
    return {
      words: `stop the supervisor for ${ms} ms, if it is awake`,
      effect: "nothing",
      happen: () => this.#standStill(find, ms),
    };
  }

  #stopKeeper(ms: number): Disturbance {
    const find = async () => this.#stage.crank.pid;
    return { words: `stop the keeper for ${ms} ms`, effect: "nothing", happen: () => this.#standStill(find, ms) };
  }

  #stopWorker(chance: number, ms: number): Disturbance {
    const find = () => this.#chosen(chance);
    return { words: `stop a worker for ${ms} ms`, effect: "nothing", happen: () => this.#standStill(find, ms) };
  }

  async #standStill(find: () => Promise<number | null>, ms: number): Promise<void> {
    const pid = await find();
    if (pid === null) return;
    this.#truth.log(`  SIGSTOP to ${pid}`);
    signal(pid, "SIGSTOP");
    await Bun.sleep(ms);
    if (isAlive(pid)) signal(pid, "SIGCONT");
    this.#truth.log(`  SIGCONT to ${pid}`);
  }

  #killKeeper(pauseMs: number): Disturbance {
    return {
      words: `kill the keeper, the next crank starts after ${pauseMs} ms`,
      effect: "answer",
      happen: async () => {
        // Without a worker no other process holds the socket, and a client is rightly refused.
        if ((await this.#ready()).length === 0) return;
        await this.#stage.replaceCrank(pauseMs);
        this.#truth.log(`  the next crank is ${this.#stage.crank.pid}`);
      },
    };
  }

  #killKeeperBesideStopped(chance: number, pauseMs: number): Disturbance {
    return {
      words: `kill the keeper while a worker is stopped, the next crank starts after ${pauseMs} ms`,
      effect: "answer",
      happen: async () => {
        const pid = await this.#chosen(chance);
        if (pid === null) return;
        this.#truth.log(`  SIGSTOP to ${pid}`);
        signal(pid, "SIGSTOP");
        try {
          await this.#stage.replaceCrank(pauseMs);
          this.#truth.log(`  the next crank is ${this.#stage.crank.pid}`);
        } finally {
          if (isAlive(pid)) signal(pid, "SIGCONT");
        }
      },
    };
  }

  #turnDisk(): Disturbance {
    if (this.#isFull) return { words: "free the disk", effect: "nothing", happen: async () => this.freeDisk() };
    return {
      words: "fill the disk",
      effect: "outcome",
      happen: async () => {
        this.#isFull = true;
        await this.#stage.fill();
        this.#truth.log("  disk filled");
      },
    };
  }
}
