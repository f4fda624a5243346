// A front end's own part of the memory: what it has to keep between events and what is not part of the service. Plain
// JSON under one journal key. Each front end has its own shape for it, and a supervisor has only one front end.

import { rememberOwn } from "./remember.ts";
import type { Memory } from "./store.ts";

/** Access to a value of type T. */
export type Own<T> = {
  readonly read: (memory: Memory) => T;
  readonly write: (memory: Memory, value: T) => void;
};

/** A front end's part of the memory; `empty` is its value before the first write. */
export const ownPart = <T>(empty: T): Own<T> => ({
  // The journal returns what this front end wrote; nothing else writes it.
  read: (memory) => (memory.own === null ? empty : (memory.own as T)),
  write: rememberOwn,
});
