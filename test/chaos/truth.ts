// What is true of the service under chaos, as one who has given all its orders knows it: which versions may answer, what
// the history of good runs is, and which workers were killed.

/** A good run as `crankctl history` tells it. */
export type GoodRun = { readonly version: string; readonly instances: number };

/** As many good runs as crank keeps. */
const HISTORY_LENGTH = 10;

/** A worker's death may be seen by its clients this much later: ms. */
const SEEN_LATER_MS = 1000;

export class Truth {
  readonly #startedAt = performance.now();
  readonly #log: string[] = [];
  /** Which versions may answer, each set from its time on. */
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

  /** From now on these answer new connections, and no others. */
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

  /** The history after a reload, which runs the current version with as many workers as there are now. */
  reloaded(): readonly GoodRun[] {
    return this.current ? withRun(this.history, { version: this.current.version, instances: this.instances }) : [];
  }
}

/** The history after this run went well: the same run again takes the place of the newest. */
export const withRun = (history: readonly GoodRun[], run: GoodRun): readonly GoodRun[] => {
  const newest = history.at(-1);
  const isSame = newest?.version === run.version && newest.instances === run.instances;
  return [...(isSame ? history.slice(0, -1) : history), run].slice(-HISTORY_LENGTH);
};
