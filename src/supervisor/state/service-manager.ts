// What is known of the machine's service manager (sd_notify(3)): how it is reached, what it was told, what it has to be
// told of. Part of the supervisor's memory; systemd/link.ts sends, systemd/tell-service-manager.ts decides what.

import { printable } from "../../control/printable.ts";
import { describeNote } from "../../core/describe.ts";
import type { Note } from "../../core/model/effects.ts";
import type { Memory } from "./store.ts";

/** What the manager knows of crank. `stored`: the names under which it keeps crank's sockets; null: not known. */
export type Told = {
  readonly isReady: boolean;
  readonly isStopping: boolean;
  /** The time of the reload that it was told of, and that is not over. */
  readonly reloadAt: number | null;
  readonly status: string;
  readonly stored: readonly string[] | null;
  /** Until when it waits for what is going on, as it was told, CLOCK_MONOTONIC ms; null: it was not told. */
  readonly mayLastUntil: number | null;
};

/** Sending that failed: how often in a row, when last, and when it is tried again (null: it was). CLOCK_MONOTONIC ms. */
export type Trouble = { readonly failures: number; readonly failedAt: number; readonly retryAt: number | null };

export type ServiceManager = {
  /** NOTIFY_SOCKET; null: nobody is told anything. */
  readonly socket: string | null;
  /** How often it wants to hear that crank lives, ms; null: never. */
  readonly heartbeatMs: number | null;
  /** crank's standard error is its journal, where `<N>` in front of a line is a priority (sd-daemon(3)). */
  readonly hasJournal: boolean;
  /** The last reload that it asked for, CLOCK_MONOTONIC ms; null: none. */
  readonly reload: { readonly at: number; readonly isOver: boolean } | null;
  readonly lastFailure: string | null;
  /** It is about to start crank again: a shutdown leaves the sockets in its store. */
  readonly isRestarting: boolean;
  /** Names of what is to leave its store before anything else comes into it. */
  readonly discarded: readonly string[];
  readonly told: Told;
  readonly trouble: Trouble | null;
};

export const NOTHING_TOLD: Told = {
  isReady: false,
  isStopping: false,
  reloadAt: null,
  status: "",
  stored: null,
  mayLastUntil: null,
};

/** When crank was not started by one. */
export const NO_SERVICE_MANAGER: ServiceManager = {
  socket: null,
  heartbeatMs: null,
  hasJournal: false,
  reload: null,
  lastFailure: null,
  isRestarting: false,
  discarded: [],
  told: NOTHING_TOLD,
  trouble: null,
};

/** Changes what is known, in the journal too. */
export const rememberManager = (memory: Memory, changes: Partial<ServiceManager>): void => {
  memory.serviceManager = { ...memory.serviceManager, ...changes };
  memory.outbox.put("serviceManager", memory.serviceManager);
};

/** What lies in the store under this name has to go: it is of no use. */
export const discardStored = (memory: Memory, name: string): void => {
  const { discarded } = memory.serviceManager;
  if (!discarded.includes(name)) rememberManager(memory, { discarded: [...discarded, name] });
};

/** The manager asks for a reload by SIGHUP, and waits to hear that it has begun and that it is over. */
export const noteReload = (memory: Memory, at: number): void => {
  if (memory.serviceManager.socket !== null) rememberManager(memory, { reload: { at, isOver: false } });
};

/** Keeps what went wrong last, to be shown until a deploy succeeds. */
export const noteForManager = (memory: Memory, note: Note): void => {
  if (memory.serviceManager.socket === null) return;
  const isFailure =
    note.kind === "workerFailed" || note.kind === "rolloutRolledBack" || (note.kind === "workerGone" && !note.expected);
  if (isFailure) rememberManager(memory, { lastFailure: printable(describeNote(note)) });
  else if (note.kind === "rolloutComplete" && memory.serviceManager.lastFailure !== null)
    rememberManager(memory, { lastFailure: null });
};

/** The manager starts crank again as soon as this one has ended. */
export const noteRestart = (memory: Memory): void => rememberManager(memory, { isRestarting: true });
