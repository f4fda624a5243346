// The orders that an operator gives to the service under chaos, and what must be true afterwards.
import { compiled } from "../e2e/harness/apps.ts";
import type { Ended } from "../e2e/harness/bench.ts";
import type { Random } from "../lives/random.ts";
import type { Stage } from "./stage.ts";
import { type GoodRun, type Truth, withRun } from "./truth.ts";

export type Order = {
  readonly words: string;
  /** Versions that may answer meanwhile, besides the current one. */
  readonly versions: readonly string[];
  carryOut(): Promise<Ended>;
  /** The history after success; null: it must not succeed. */
  readonly after: readonly GoodRun[] | null;
  /** How many workers are wanted after success; null: as many as before. */
  readonly instances: number | null;
  readonly isUpgrade?: boolean;
};

const DRAIN_MS = "100";
const MOST_INSTANCES = 4;

/** Commands whose workers never become ready, and how each fails. */
const BROKEN: readonly [readonly string[], ...(readonly (readonly string[])[])] = [
  ["sh", "-c", "exit 7"],
  ["sh", "-c", "kill -KILL $$"],
  ["-start", "0.3", "--", "sleep", "600"],
  ["sh", "-c", "sleep 0.1"],
  ["/nowhere/server"],
];

const flagsFirst = (words: readonly string[]): readonly string[] => (words.includes("--") ? words : ["--", ...words]);

/** One deploy after another, each of its own version. */
export class Orders {
  readonly #stage: Stage;
  readonly #truth: Truth;
  readonly #random: Random;
  #version = 0;

  constructor(stage: Stage, truth: Truth, random: Random) {
    this.#stage = stage;
    this.#truth = truth;
    this.#random = random;
  }

  next(): Order {
    const random = this.#random;
    return random.pick([
      () => this.deploy(random.between(1, MOST_INSTANCES)),
      () => this.deploy(random.between(1, MOST_INSTANCES)),
      () => this.#failedDeploy(),
      () => this.#scale(random.between(1, MOST_INSTANCES)),
      () => this.#rollback(),
      () => this.#upgrade(),
      () => this.#reload(),
    ])();
  }

  deploy(instances: number): Order {
    const version = `v${++this.#version}`;
    const flags = ["-wait", "-instances", String(instances), "-start", "30"];
    const command = [compiled("worker"), "-drain", DRAIN_MS, version];
    return {
      words: `deploy ${version} with ${instances} workers`,
      versions: [version],
      carryOut: () => this.#stage.ctl("run", ...flags, "--", ...command),
      after: withRun(this.#truth.history, { version, instances }),
      instances,
    };
  }

  #failedDeploy(): Order {
    const words = this.#random.pick(BROKEN);
    return {
      words: `deploy what fails: ${words.join(" ")}`,
      versions: [],
      carryOut: () => this.#stage.ctl("run", "-wait", ...flagsFirst(words)),
      after: null,
      instances: null,
    };
  }

  #scale(instances: number): Order {
    return {
      words: `scale to ${instances}`,
      versions: [],
      carryOut: () => this.#stage.ctl("scale", String(instances)),
      after: this.#truth.history,
      instances,
    };
  }

  #rollback(): Order {
    const { history } = this.#truth;
    const index = this.#random.between(0, history.length - 1);
    const run = history[index];
    return {
      words: `roll back to ${run?.version}, entry ${index + 1} of ${history.length}`,
      versions: run ? [run.version] : [],
      carryOut: async () => {
        const generation = (await this.#stage.history())[index]?.generation;
        return this.#stage.ctl("rollback", "-wait", "-to", String(generation));
      },
      after: run ? withRun(history, run) : history,
      instances: run?.instances ?? null,
    };
  }

  #upgrade(): Order {
    const carryOut = () => this.#stage.ctl("upgrade", "-wait");
    return { words: "upgrade", versions: [], carryOut, after: this.#truth.history, instances: null, isUpgrade: true };
  }

  #reload(): Order {
    // It takes the current number of workers, whatever the last run asked for.
    return {
      words: "reload",
      versions: [],
      carryOut: () => this.#stage.ctl("reload", "-wait"),
      after: this.#truth.reloaded(),
      instances: null,
    };
  }
}
