// What only grows while crank lives, counted for whoever watches it.
import type { Note } from "../../core/model/effects.ts";
import type { Memory } from "./store.ts";

export type Counters = {
  /** The supervisor's own numbers of requests and upgrades: the last ones that were given. */
  readonly requests: number;
  readonly upgradesBegun: number;
  readonly upgrades: number;
  readonly supervisorDeaths: number;
  /** Workers that were started, and that are gone: because crank told them to go, or not. */
  readonly starts: number;
  readonly exitsAsked: number;
  readonly exitsUnasked: number;
  readonly rolloutsComplete: number;
  readonly rolloutsRolledBack: number;
  /** How often the file of a unix socket was gone, or another one had its name. */
  readonly namesLost: number;
};

/** What a new crank begins with. */
export const NOTHING_COUNTED: Counters = {
  requests: 0,
  upgradesBegun: 0,
  upgrades: 0,
  supervisorDeaths: 0,
  starts: 0,
  exitsAsked: 0,
  exitsUnasked: 0,
  rolloutsComplete: 0,
  rolloutsRolledBack: 0,
  namesLost: 0,
};

/** Adds one. */
export const count = (memory: Memory, what: keyof Counters): void => {
  memory.counters = { ...memory.counters, [what]: memory.counters[what] + 1 };
  memory.outbox.put("counters", memory.counters);
};

/** Counts what a note tells of workers and rollouts. */
export const countNote = (memory: Memory, note: Note): void => {
  if (note.kind === "workerStarted") count(memory, "starts");
  else if (note.kind === "workerGone") count(memory, note.expected ? "exitsAsked" : "exitsUnasked");
  else if (note.kind === "rolloutComplete") count(memory, "rolloutsComplete");
  else if (note.kind === "rolloutRolledBack") count(memory, "rolloutsRolledBack");
};
