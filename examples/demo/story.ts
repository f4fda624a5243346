// The course of the demo as plain data: collected from crank's events and the workers' output, and drawn
// and printed from here. Every time is wall clock, ms.
import type { EventEntry } from "../../src/control/messages.ts";
import type { Counts } from "./clients.ts";
import type { WorkerLine } from "./service.ts";

/** How many connections a worker held from `at` on. */
export type Held = { readonly at: number; readonly connections: number };

export type WorkerStory = {
  readonly id: number;
  readonly generation: number;
  readonly startedAt: number;
  readyAt: number | null;
  stoppingAt: number | null;
  goneAt: number | null;
  /** The reason, if it never served. */
  failure: string | null;
  readonly held: Held[];
};

export type Deploy = {
  readonly number: number;
  readonly label: string;
  readonly isBroken: boolean;
  readonly generation: number | null;
  readonly startedAt: number;
  readonly endedAt: number;
  /** crankctl's exit status, and its last line if that is not 0. */
  readonly status: number | null;
  readonly words: string;
  /** Supervisors that were killed during it. */
  readonly kills: number;
  /** The clients' counts from its start to the start of the next one. */
  readonly counts: Counts;
};

export type Kill = { readonly at: number; readonly pid: number };
/** The clients' totals at a moment. */
export type Sample = { readonly at: number; readonly counts: Counts; readonly staying: number };

export class Story {
  readonly startedAt = Date.now();
  endedAt = 0;
  readonly workers = new Map<number, WorkerStory>();
  readonly deploys: Deploy[] = [];
  readonly kills: Kill[] = [];
  readonly samples: Sample[] = [];
  #lastSeq = 0;
  #listeners: { readonly wants: (entry: EventEntry) => boolean; readonly found: () => void }[] = [];

  /** The generation of the last rollout that began. */
  generation: number | null = null;

  /** Takes one event of `crankctl events -json`. */
  event(entry: EventEntry): void {
    if (entry.seq <= this.#lastSeq) return;
    this.#lastSeq = entry.seq;
    this.#apply(entry, Date.parse(entry.time));
    for (const listener of this.#listeners.filter(({ wants }) => wants(entry))) listener.found();
  }

  /** Takes one line that a worker printed. */
  line({ time, id, line }: WorkerLine): void {
    const connections = /^\{"connections":(\d+)\}$/.exec(line)?.[1];
    if (connections !== undefined)
      this.workers.get(id)?.held.push({ at: Date.parse(time), connections: Number(connections) });
  }

  /** Resolves at the first event for which `wants` is true. */
  next(wants: (entry: EventEntry) => boolean): Promise<void> {
    return new Promise((found) => this.#listeners.push({ wants, found }));
  }

  #apply(entry: EventEntry, at: number): void {
    if (entry.kind === "rolloutStarted") this.generation = entry.generation;
    if (entry.kind === "workerStarting") {
      const { worker: id, generation } = entry;
      const unknown = { readyAt: null, stoppingAt: null, goneAt: null, failure: null, held: [] };
      this.workers.set(id, { id, generation, startedAt: at, ...unknown });
    }
    const worker = "worker" in entry ? this.workers.get(entry.worker) : undefined;
    if (worker === undefined) return;
    if (entry.kind === "workerReady") worker.readyAt = at;
    if (entry.kind === "workerStopping") worker.stoppingAt ??= at;
    if (entry.kind === "workerGone") worker.goneAt = at;
    if (entry.kind === "workerFailed") worker.failure = failureWords(entry.failure);
  }
}

type Failure = Extract<EventEntry, { kind: "workerFailed" }>["failure"];

const failureWords = (failure: Failure): string => {
  if (failure.kind === "exited" && failure.ending.kind === "exit") return `exited with status ${failure.ending.code}`;
  if (failure.kind === "exited" && failure.ending.kind === "signal") return `killed by ${failure.ending.signal}`;
  return failure.kind;
};

/** The counts between two times. */
export const difference = (later: Counts, earlier: Counts): Counts => ({
  answered: later.answered - earlier.answered,
  messages: later.messages - earlier.messages,
  moved: later.moved - earlier.moved,
  refused: later.refused - earlier.refused,
  reset: later.reset - earlier.reset,
  cut: later.cut - earlier.cut,
});

/** How many connections were harmed. */
export const harmed = ({ refused, reset, cut }: Counts): number => refused + reset + cut;
