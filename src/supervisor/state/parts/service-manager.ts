// The state of the connection to the machine's service manager (sd_notify(3)): how it is reached, what was sent to it,
// what is to be sent. Part of the supervisor's store. systemd/link.ts sends, systemd/service-manager.ts decides what.

/** The last report to the manager. `stored`: the names of crank's sockets in its store; null: not known. */
export type ManagerReport = {
  readonly isReady: boolean;
  readonly isStopping: boolean;
  /** The time of the reload that was reported as begun and not as over. */
  readonly reloadAt: number | null;
  readonly status: string;
  readonly stored: readonly string[] | null;
  /** How long the current phase may take, as it was sent, CLOCK_MONOTONIC ms; null: it was not sent. */
  readonly mayLastUntil: number | null;
};

/**
 * Failed sends: how many in a row, the time of the last, and when to retry (null: retried already). CLOCK_MONOTONIC ms.
 */
export type Trouble = { readonly failures: number; readonly failedAt: number; readonly retryAt: number | null };

export type ServiceManager = {
  /** NOTIFY_SOCKET; null: there is no manager to notify. */
  readonly socket: string | null;
  /** The period of its watchdog messages, ms; null: it has no watchdog. */
  readonly heartbeatMs: number | null;
  /** Crank's standard error is its journal, where a prefix `<N>` is the priority of a line (sd-daemon(3)). */
  readonly hasJournal: boolean;
  /** The last reload that it requested, CLOCK_MONOTONIC ms; null: none. */
  readonly reload: { readonly at: number; readonly isOver: boolean } | null;
  readonly lastFailure: string | null;
  /** It is about to start crank again: a shutdown leaves the sockets in its store. */
  readonly isRestarting: boolean;
  /** Names to remove from its store before anything is added. */
  readonly discarded: readonly string[];
  readonly told: ManagerReport;
  readonly trouble: Trouble | null;
};

export const NO_REPORT: ManagerReport = {
  isReady: false,
  isStopping: false,
  reloadAt: null,
  status: "",
  stored: null,
  mayLastUntil: null,
};

/** For a crank that was not started by a service manager. */
export const NO_SERVICE_MANAGER: ServiceManager = {
  socket: null,
  heartbeatMs: null,
  hasJournal: false,
  reload: null,
  lastFailure: null,
  isRestarting: false,
  discarded: [],
  told: NO_REPORT,
  trouble: null,
};
