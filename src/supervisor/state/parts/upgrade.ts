// Types of an upgrade in progress.

/** An installed crank: its keeper's program `file`, and the path from which supervisors are started, a link to it. */
export type InstalledProgram = {
  readonly file: string;
  readonly runtime: string;
  /** A second path that supervisors of an earlier version were started from; empty. */
  readonly bundle: string;
  /** Whether the keeper's program differs from the running one. */
  readonly isNewKeeper: boolean;
};

/** What a new program answers to the check: its version, the version of its keeper protocol, and where it is. */
export type UpgradeAnswer = {
  readonly version: string;
  readonly protocol: number;
  readonly home: string;
  readonly runtime: string;
};

/** An upgrade in progress: its stage and its target. */
export type Upgrade = {
  readonly number: number;
  /**
   * `checking`: the new program is checked. `rehearsing`: its keeper tests the takeover. `replacing`: the new
   * supervisor starts beside this one. `executing`: the keeper re-executes itself.
   */
  readonly stage: "checking" | "rehearsing" | "replacing" | "executing";
  /** The path by which the new program was found, or is to be found. */
  readonly path: string;
  readonly exec: string | null;
  /** The program at that path; after the check, where it really is. */
  readonly program: InstalledProgram;
  /** The version that is upgraded from. */
  readonly from: string;
  /** The answer of the check. */
  readonly answer: UpgradeAnswer | null;
  /** The deadline of the check (CLOCK_MONOTONIC ms); null: none, or it has ended. */
  readonly checkedBy: number | null;
  readonly isLate: boolean;
  /** How often the keeper had re-executed itself before. */
  readonly executions: number;
  /** Another upgrade, to the program at `exec`, was requested meanwhile. */
  readonly again: { readonly exec: string | null } | null;
};
