// What must be true of the service under chaos, derived from the orders given: which versions may answer, the history of
// good runs, and which workers were killed.

/** A good run as `crankctl history` shows it. */
export type GoodRun = { readonly version: string; readonly instances: number };

/** How many good runs crank keeps. */
const HISTORY_LENGTH = 10;

/** How much later clients may see a worker's death, ms. */
const SEEN_LATER_MS = 1000;

export class Truth {
  readonly #startedAt = performance.now();
  readonly #log: string[] = [];
  /** Which versions may answer; each set holds from its time on. */
  #serving: { readonly since: number; readonly versions: ReadonlySet<string> }[] = [
    { since: Number.NEGATIVE_INFINITY, versions: new Set() },
  ];
  readonly #killed = new Map<number, number>();
  history: readonly GoodRun[] = [];
  /** How many workers are wanted now. */
  instances = 0;

  now(): number {
    return performance.now() - this.#startedAt;
  }

  clock(): string {
    return `${(this.now() / 1000).toFixed(3).padStart(8)} s`;
  }

  log(words: string): void {
    this.#log.push(`${this.clock()} ${words}`);
  }

  get lines(): readonly string[] {
    return this.#log;
  }

  /** From now on these versions answer new connections, and no others. */
  serves(...versions: readonly string[]): void {
    this.#serving.push({ since: this.now(), versions: new Set(versions) });
  }

  mayHaveAnswered(version: string, begunAt: number): boolean {
    const begin = this.#serving.findLastIndex(({ since }) => since <= begunAt);
    return this.#serving.slice(begin).some(({ versions }) => versions.has(version));
  }

  killed(pid: number): void {
    this.#killed.set(pid, this.now());
  }

  /** Whether this worker was killed; without a pid, whether any was since then. */
  wasKilled(pid: number | null, since: number): boolean {
    if (pid !== null) return this.#killed.has(pid);
    return [...this.#killed.values()].some((at) => at >= since - SEEN_LATER_MS);
  }

  get current(): GoodRun | undefined {
    return this.history.at(-1);
  }

  /** The history after a reload, which runs the current version with the current number of workers. */
  reloaded(): readonly GoodRun[] {
    return this.current ? withRun(this.history, { version: this.current.version, instances: this.instances }) : [];
  }
}

/** The history after this run succeeded; an identical run replaces the newest. */
export const withRun = (history: readonly GoodRun[], run: GoodRun): readonly GoodRun[] => {
  const newest = history.at(-1);
  const isSame = newest?.version === run.version && newest.instances === run.instances;
  return [...(isSame ? history.slice(0, -1) : history), run].slice(-HISTORY_LENGTH);
};
