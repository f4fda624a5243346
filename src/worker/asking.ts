// In which order and at which pace clients are asked to go: evenly over a time, whoever comes meanwhile included.
import type { Client, Manners } from "./clients.ts";

/** Clients are asked at most this often, several at once if need be: ms. */
const STEP_MS = 10;

export class Asking {
  readonly #waiting: Client[] = [];
  readonly #manners: Manners;
  /** When the last one is to be asked, as performance.now() tells it. */
  readonly #end: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;
  /** How many clients there have been. */
  count = 0;

  /** Asks these clients from now on, the last one before `spreadMs` have passed. */
  constructor(clients: Iterable<Client>, manners: Manners, spreadMs: number) {
    this.#manners = manners;
    this.#end = performance.now() + spreadMs;
    for (const client of clients) this.#waiting.push(client);
    this.count = this.#waiting.length;
    this.#step();
  }

  /** Asks one more: behind those that wait, or at once if nobody does. */
  add(client: Client): void {
    if (this.#isOver) return;
    this.#waiting.push(client);
    this.count += 1;
    if (this.#timer === undefined) this.#step();
  }

  /** Asks nobody any more. */
  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #step(): void {
    this.#timer = undefined;
    const left = this.#end - performance.now();
    const pause = Math.max(STEP_MS, left / this.#waiting.length);
    // What is due until the next step; at the end all that are left.
    const due = left <= STEP_MS ? this.#waiting.length : Math.max(1, Math.round((this.#waiting.length * pause) / left));
    for (const client of this.#waiting.splice(0, due)) client.ask(this.#manners);
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#step(), pause);
  }
}
