// The simulated keeper's watchdogs: which workers must send WATCHDOG=1, and which have not.
import type { PostedEvent } from "./events.ts";
import type { CommandOf, SimulatedWorld } from "./world.ts";

type Watchdog = { readonly periodMs: number; until: number; strangers: number; stranger: number };

const decoder = new TextDecoder();

export class SimulatedWatchdogs {
  readonly #world: SimulatedWorld;
  readonly #post: (happening: PostedEvent) => void;
  readonly #watchdogs = new Map<number, Watchdog>();

  constructor(world: SimulatedWorld, post: (happening: PostedEvent) => void) {
    this.#world = world;
    this.#post = post;
  }

  set({ worker, periodMs }: CommandOf<"watchdog">): void {
    this.#watchdogs.delete(worker);
    if (periodMs === 0) return;
    const watchdog = { periodMs, until: this.#world.now() + periodMs, strangers: 0, stranger: 0 };
    this.#watchdogs.set(worker, watchdog);
    this.#wait(worker, watchdog);
  }

  forget(worker: number): void {
    this.#watchdogs.delete(worker);
  }

  /** Whether the message is only for the watchdog, so that it is not delivered. `own`: the worker's own process. */
  hears(worker: number, own: number, sender: number, bytes: Uint8Array): boolean {
    const lines = decoder.decode(bytes).split("\n");
    if (!lines.includes("WATCHDOG=1")) return false;
    const watchdog = this.#watchdogs.get(worker);
    if (watchdog && sender === own)
      Object.assign(watchdog, { strangers: 0, until: this.#world.now() + watchdog.periodMs });
    else if (watchdog) Object.assign(watchdog, { strangers: watchdog.strangers + 1, stranger: sender });
    return lines.every((line) => line === "" || line === "WATCHDOG=1");
  }

  #wait(worker: number, watchdog: Watchdog): void {
    this.#world.after(Math.max(0, watchdog.until - this.#world.now()), () => {
      if (this.#watchdogs.get(worker) !== watchdog) return;
      if (watchdog.until > this.#world.now()) return this.#wait(worker, watchdog);
      this.#watchdogs.delete(worker);
      const { periodMs, strangers, stranger } = watchdog;
      this.#post({ kind: "watchdogExpired", worker, periodMs, strangers, stranger });
    });
  }
}
