export type Counters = {
  /** The last numbers given to requests and upgrades. */
  readonly requests: number;
  readonly upgradesBegun: number;
  readonly upgrades: number;
  readonly supervisorDeaths: number;
  /** Workers that were started; those that ended because crank stopped them; those that ended unasked. */
  readonly starts: number;
  readonly exitsAsked: number;
  readonly exitsUnasked: number;
  readonly rolloutsComplete: number;
  readonly rolloutsRolledBack: number;
  /** How often the file of a unix socket was removed or replaced. */
  readonly namesLost: number;
};

/** The counters of a new crank. */
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
