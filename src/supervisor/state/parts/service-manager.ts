// What is known of the machine's service manager (sd_notify(3)): how it is reached, what it was told, what it has to be
// told of. Part of the supervisor's memory; systemd/link.ts sends, systemd/tell-service-manager.ts decides what.

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
