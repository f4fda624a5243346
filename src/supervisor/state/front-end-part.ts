// A front end's own part of the store: what it has to keep between events and what is not part of the service. Plain
// JSON under one journal key. Each front end has its own shape for it, and a supervisor has only one front end.

import { saveFrontEndPart } from "./save.ts";
import type { Store } from "./store.ts";

/** Access to a value of type T. */
export type FrontEndPart<T> = {
  readonly read: (store: Store) => T;
  readonly write: (store: Store, value: T) => void;
};

/** A front end's part of the store; `empty` is its value before the first write. */
export const frontEndPart = <T>(empty: T): FrontEndPart<T> => ({
  // The journal returns what this front end wrote; nothing else writes it.
  read: (store) => (store.frontEndPart === null ? empty : (store.frontEndPart as T)),
  write: saveFrontEndPart,
});
