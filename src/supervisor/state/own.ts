// A front end's own part of the memory: what it has to know from one event to the next and what is no part of the service.
// Plain JSON in one journal key; each front end has its own shape for it, and one supervisor only ever has one front end.

import { rememberOwn } from "./remember.ts";
import type { Memory } from "./store.ts";

/** A way to keep a value of type T. `empty` is what it is before it was ever written. */
export type Own<T> = {
  readonly read: (memory: Memory) => T;
  readonly write: (memory: Memory, value: T) => void;
};

/** A front end's part of the memory, with its shape; `empty` is what it has before it has written anything. */
export const ownPart = <T>(empty: T): Own<T> => ({
  // The journal gives back what this front end wrote, and nobody else writes it.
  read: (memory) => (memory.own === null ? empty : (memory.own as T)),
  write: rememberOwn,
});
