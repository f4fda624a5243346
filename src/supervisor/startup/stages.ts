// The stages of crank's own start, and how it ends before it serves.

import { complain } from "../events/log.ts";
import { openingOf } from "../sockets/openings.ts";
import { forgetSocket, saveBoot } from "../state/save.ts";
import type { Store } from "../state/store.ts";
import { reportEnd } from "../systemd/link.ts";

export const nextStage = (store: Store, stage: "locking" | "opening" | "serving"): void => {
  const barrier = store.boot.barrier + 1;
  saveBoot(store, { ...store.boot, stage, barrier });
  if (stage !== "serving") store.batch.command({ kind: "barrier", token: barrier });
};

export const giveUp = (store: Store, message: string): void => {
  complain(store, `${store.facts.program}: ${message}`);
  reportEnd(store, message);
  for (const socket of [...store.sockets.values()]) removeSocketFile(store, socket.handle);
  store.batch.command({ kind: "exit", status: store.frontEnd.setUpFailure?.status ?? 1, keepJournal: 0 });
};

const removeSocketFile = (store: Store, handle: number): void => {
  const opening = openingOf(store, handle);
  const address = opening?.address;
  // A socket that stays open in the store is still reached by its file.
  const isOrphaned = store.adoption?.sockets.some((orphaned) => orphaned.handle === handle) === true;
  const isOurs = address?.kind === "unix" && !address.path.startsWith("@") && opening?.stored === null && !isOrphaned;
  if (isOurs) store.batch.command({ kind: "removeName", handle });
  forgetSocket(store, handle);
};

/** Ends the start as soon as everything that it has opened is known. */
export const cancelStart = (store: Store): void => saveBoot(store, { ...store.boot, isUnwanted: true });

/** Ends without adopting: everything stays unchanged for the next crank. */
export const stepBack = (store: Store): void => {
  for (const handle of [...store.sockets.keys()]) removeSocketFile(store, handle);
  store.batch.command({ kind: "exit", status: 0, keepJournal: 1 });
};

export const noteFailure = (store: Store, failure: string): void => {
  if (store.boot.failure === null) saveBoot(store, { ...store.boot, failure });
};
