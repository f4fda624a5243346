// The order and the pace in which clients are asked to leave: evenly over a time, including clients that connect meanwhile.
import type { Client, Manners } from "./clients.ts";

/** Clients are asked at most this often, several at once if need be: ms. */
const STEP_MS = 10;

/** Asks clients to leave until it is ended; `count` is the number of clients so far. */
export class Asking {
  readonly #waiting: Client[] = [];
  readonly #manners: Manners;
  /** When the last client is asked, in the time of performance.now(). */
  readonly #end: number;
  #lastStep: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;
  /** How many clients there have been. */
  count = 0;

  /** Asks these clients from now on, the last one before `spreadMs` have passed. */
  constructor(clients: Iterable<Client>, manners: Manners, spreadMs: number) {
    this.#manners = manners;
    this.#lastStep = performance.now();
    this.#end = this.#lastStep + spreadMs;
    for (const client of clients) this.#waiting.push(client);
    this.count = this.#waiting.length;
    this.#step();
  }

  /** Asks one more client: after those that wait, or at once if none waits. */
  add(client: Client): void {
    if (this.#isOver) return;
    this.#waiting.push(client);
    this.count += 1;
    if (this.#timer !== undefined) return;
    this.#lastStep = performance.now();
    this.#step();
  }

  /** Stops asking. */
  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #step(): void {
    this.#timer = undefined;
    const now = performance.now();
    const left = this.#end - now;
    const since = now - this.#lastStep;
    this.#lastStep = now;
    // Interval between two clients: the remaining time, divided among those that wait.
    const interval = (since + left) / (this.#waiting.length + 1);
    const due = left <= STEP_MS ? this.#waiting.length : Math.max(1, Math.round(since / interval));
    for (const client of this.#waiting.splice(0, due)) client.ask(this.#manners);
    if (this.#waiting.length > 0)
      this.#timer = setTimeout(() => this.#step(), Math.max(STEP_MS, left / (this.#waiting.length + 1)));
  }
}
