// A supervisor without a process, with a keeper that only stores its journal and its commands, so that a test can deliver
// one event after the other and replace the supervisor between any two batches.
import { CRANK } from "../../src/commands/crank/front-end.ts";
import type { KeeperEvent, SentCommand } from "../../src/keeper/protocol.ts";
import { type Hello, Supervisor } from "../../src/supervisor/loop/supervisor.ts";
import type { Platform } from "../../src/supervisor/os/platform.ts";
import type { KeeperFacts } from "../../src/supervisor/state/keeper-facts.ts";
import { simulatedPlatform, WALL_OFFSET } from "../lives/crank/platform.ts";

export type Batch = readonly SentCommand[];
type CommandOf<K extends SentCommand["kind"]> = Extract<SentCommand, { kind: K }>;

/** Thrown at the point where a supervisor is killed. */
class Killed extends Error {}

type Options = {
  readonly args?: readonly string[];
  readonly platform?: Partial<Platform>;
};

/** An event without its number and its times. */
type Said = KeeperEvent extends infer E
  ? E extends KeeperEvent
    ? Omit<E, "seq" | "happenedAt" | "deliveredAt">
    : never
  : never;

export class Supervised {
  readonly files = new Map<string, string>();
  /** Every batch that was applied. */
  readonly batches: Batch[] = [];
  /** How many more batches the supervisor may send before it is killed. */
  batchesLeft = Number.POSITIVE_INFINITY;
  now = 1000;
  readonly #journal = new Map<string, string>();
  readonly #workers = new Map<number, Hello["workers"][number]>();
  readonly #platform: Platform;
  readonly #args: readonly string[];
  #supervisor: Supervisor | null = null;
  readonly #events: KeeperEvent[] = [];
  #seq = 0;
  #consumed = 0;

  constructor({ args = ["-bind", "127.0.0.1:80"], platform = {} }: Options = {}) {
    this.#args = ["-prefix", "/sim", "-name", "one", ...args];
    this.#platform = {
      ...simulatedPlatform(
        this.files,
        () => this.now,
        () => true,
        () => true,
      ),
      ...platform,
    };
  }

  /** The current supervisor. */
  get supervisor(): Supervisor {
    if (!this.#supervisor) throw new Error("no supervisor was started");
    return this.#supervisor;
  }

  /** Whether every event that was sent has been consumed. */
  get isSettled(): boolean {
    return this.#consumed === this.#seq;
  }

  /** Starts the first supervisor, or the next one, from what the journal holds; it gets the unconsumed events. Returns the batches that it sent. */
  start(): Promise<readonly Batch[]> {
    return this.#collect(async () => {
      const encoder = new TextEncoder();
      const entries = new Map([...this.#journal].map(([key, value]) => [key, encoder.encode(value)]));
      const hello = { facts: this.#facts(), entries, workers: [...this.#workers.values()], handles: [] };
      const link = {
        send: (batch: Batch) => this.#apply(batch),
        flushed: async () => {},
        between: (act: () => void) => act(),
      };
      this.#supervisor = new Supervisor({ platform: this.#platform, frontEnd: CRANK }, hello, link);
      await this.#supervisor.start();
      for (const event of this.#events.filter(({ seq }) => seq > this.#consumed)) await this.#supervisor.handle(event);
    });
  }

  /** A value of the journal; undefined: no such key. */
  value(key: string): unknown {
    const text = this.#journal.get(key);
    return text === undefined ? undefined : JSON.parse(text);
  }

  /** Another supervisor consumes an event that changes nothing. */
  consumeOneMore(): void {
    this.#seq += 1;
    this.#consumed = this.#seq;
  }

  /** Delivers one event. Returns the resulting batches. */
  send(said: Said): Promise<readonly Batch[]> {
    this.#seq += 1;
    // The parts of one event, combined.
    const event = { ...said, seq: this.#seq, happenedAt: this.now, deliveredAt: this.now } as KeeperEvent;
    this.#events.push(event);
    return this.#collect(async () => {
      await this.supervisor.handle(event);
    });
  }

  /** Starts crank until it serves, with its sockets open. */
  async serve(): Promise<void> {
    await this.start();
    await this.reach();
    for (const command of this.last("openSocket")) await this.open(command);
    await this.reach();
  }

  /** The keeper has reached the last barrier. */
  reach(): Promise<readonly Batch[]> {
    const barrier = this.commands("barrier").at(-1);
    return this.send({ kind: "reached", token: barrier?.token ?? 0 });
  }

  /** The keeper has opened a socket. */
  open({ handle, domain, type, address }: CommandOf<"openSocket">): Promise<readonly Batch[]> {
    const bytes = typeof address === "string" ? new TextEncoder().encode(address) : address;
    const told = { listening: 1, limit: 4096, inode: 70 + handle };
    return this.send({ kind: "opened", handle, domain, type, ...told, address: bytes });
  }

  /** A client sends a line. */
  ask(method: string, params: unknown, connection = 7): Promise<readonly Batch[]> {
    const bytes = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }));
    return this.send({ kind: "line", connection, listener: 1, pid: 77, uid: 0, gid: 0, bytes });
  }

  /** Advances the time and sends a tick. */
  tick(afterMs: number): Promise<readonly Batch[]> {
    this.now += afterMs;
    return this.send({ kind: "tick" });
  }

  /** All commands of a kind, in the order in which they were sent. */
  commands<K extends SentCommand["kind"]>(kind: K): CommandOf<K>[] {
    return ofKind(this.batches, kind);
  }

  /** Those of the last batch that has any. */
  last<K extends SentCommand["kind"]>(kind: K): CommandOf<K>[] {
    return ofKind([this.batches.findLast((batch) => batch.some((command) => command.kind === kind)) ?? []], kind);
  }

  async #collect(act: () => Promise<void>): Promise<readonly Batch[]> {
    const before = this.batches.length;
    try {
      await act();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    return this.batches.slice(before);
  }

  #apply(batch: Batch): void {
    if (this.batchesLeft <= 0) throw new Killed();
    this.batchesLeft -= 1;
    this.batches.push(batch);
    for (const command of batch) {
      if (command.kind === "put") this.#journal.set(command.key, textOf(command.value));
      else if (command.kind === "remove") this.#journal.delete(command.key);
      else if (command.kind === "commit") this.#consumed = command.consumed;
      else if (command.kind === "spawn")
        this.#workers.set(command.worker, {
          kind: "helloWorker",
          worker: command.worker,
          pid: 0,
          startTime: 0,
          state: 0,
        });
    }
  }

  #facts(): KeeperFacts {
    return {
      pid: 1,
      version: "0",
      startedAt: 0,
      realtimeOffset: WALL_OFFSET,
      bootId: "boot",
      home: "/",
      cwd: "/",
      args: this.#args,
      program: "crank",
      fresh: this.#journal.size === 0,
      consumed: this.#consumed,
      executions: 0,
      path: "/bin/crank",
    };
  }
}

const textOf = (value: Uint8Array | string): string =>
  typeof value === "string" ? value : new TextDecoder().decode(value);

const ofKind = <K extends SentCommand["kind"]>(batches: readonly Batch[], kind: K): CommandOf<K>[] =>
  // The filter leaves only this kind.
  batches.flat().filter((command) => command.kind === kind) as CommandOf<K>[];
