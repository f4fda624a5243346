// The progress of a run: on a terminal one line that changes, and whole lines for failures; elsewhere a line per file.
const WIDTH = process.stdout.columns ?? 80;
const isTerminal = process.stdout.isTTY === true;

const minutes = (ms: number): string =>
  `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}`;

/** A duration, for people. */
export const duration = (ms: number): string =>
  ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;

export class Progress {
  readonly #total: number;
  readonly #startedAt = performance.now();
  readonly #running = new Set<string>();
  #ended = 0;
  #failed = 0;

  constructor(total: number) {
    this.#total = total;
  }

  began(name: string): void {
    this.#running.add(name);
    this.#draw();
  }

  /** `line`: the result; `isNews`: shown as a line of its own on a terminal too. */
  ended(name: string, line: string, isNews: boolean): void {
    this.#running.delete(name);
    this.#ended += 1;
    if (isNews) this.#failed += 1;
    if (!isTerminal || isNews) this.say(isTerminal ? line : `[${this.#ended}/${this.#total}] ${line}`);
    this.#draw();
  }

  /** Prints whole lines above the one that changes. */
  say(lines: string): void {
    this.clear();
    console.log(lines);
  }

  clear(): void {
    if (isTerminal) process.stdout.write("\r\x1b[K");
  }

  #draw(): void {
    if (!isTerminal) return;
    const files = [...this.#running].map((name) => name.replace(/^test\/|\.test\.ts/g, "")).join(", ");
    const broken = this.#failed > 0 ? `, ${this.#failed} FAILED` : "";
    const elapsed = minutes(performance.now() - this.#startedAt);
    const line = `${elapsed} ${this.#ended} of ${this.#total} files${broken}: ${files}`;
    process.stdout.write(`\r\x1b[K${line.slice(0, WIDTH - 1)}`);
  }
}
