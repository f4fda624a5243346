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
