// What the keeper reports about itself in its hello.

export type KeeperFacts = {
  readonly pid: number;
  readonly version: string;
  /** CLOCK_MONOTONIC ms. */
  readonly startedAt: number;
  /** CLOCK_REALTIME − CLOCK_MONOTONIC, ms. */
  readonly realtimeOffset: number;
  readonly bootId: string;
  /** Where crank is installed: the directory of its bin/ and dist/. */
  readonly home: string;
  readonly cwd: string;
  readonly args: readonly string[];
  /** The name by which it was called. */
  readonly program: string;
  readonly fresh: boolean;
  readonly consumed: number;
  readonly executions: number;
  /** The path by which it was first started: absolute, links not followed. */
  readonly path: string;
  /** The local time zone; UTC without it. */
  readonly zone?: Zone;
};

/** Seconds east of UTC: `offset` until `until` (seconds since 1970), `nextOffset` after it. */
export type Zone = { readonly offset: number; readonly until: number; readonly nextOffset: number };
