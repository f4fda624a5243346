// An upgrade in place while it is under way: its shapes.

/** Where a crank is installed: its keeper's program `file`, and what its supervisors are started from: a link to it. */
export type InstalledProgram = {
  readonly file: string;
  readonly runtime: string;
  /** What an earlier version's supervisors were started from besides; empty. */
  readonly bundle: string;
  /** Whether the keeper's program is another one than the one that runs. */
  readonly isNewKeeper: boolean;
};

/** What a new program answers to the check: its version, which protocol it speaks with its keeper, and where it is. */
export type UpgradeAnswer = {
  readonly version: string;
  readonly protocol: number;
  readonly home: string;
  readonly runtime: string;
};

/** An upgrade that is under way: which stage it is in, and what it goes to. */
export type Upgrade = {
  readonly number: number;
  /** `checking`: the new program is asked; `rehearsing`: its keeper shows that it can take over; `replacing`: the new supervisor starts beside this one; `executing`: the keeper executes itself anew. */
  readonly stage: "checking" | "rehearsing" | "replacing" | "executing";
  /** By which the new program was found, or is to be. */
  readonly path: string;
  readonly exec: string | null;
  /** Where that led to, until the check says where it really is. */
  readonly program: InstalledProgram;
  /** The version that is upgraded from. */
  readonly from: string;
  /** What the check said. */
  readonly answer: UpgradeAnswer | null;
  /** When the time for the check is over (CLOCK_MONOTONIC ms); null: never, or it is. */
  readonly checkedBy: number | null;
  readonly isLate: boolean;
  /** How often the keeper had executed itself before. */
  readonly executions: number;
  /** One more was asked for meanwhile, to what `exec` leads to. */
  readonly again: { readonly exec: string | null } | null;
};
