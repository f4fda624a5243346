// What the keeper says of itself in its hello.

export type KeeperFacts = {
  readonly pid: number;
  readonly version: string;
  /** CLOCK_MONOTONIC ms. */
  readonly startedAt: number;
  /** CLOCK_REALTIME − CLOCK_MONOTONIC, ms. */
  readonly realtimeOffset: number;
  readonly bootId: string;
  /** Where crank is installed: its bin/ and dist/ are there. */
  readonly home: string;
  readonly cwd: string;
  readonly args: readonly string[];
  /** The name that it was called by. */
  readonly program: string;
  readonly fresh: boolean;
  readonly consumed: number;
  readonly executions: number;
  /** By which it was started first: absolute, links not followed. */
  readonly path: string;
};

/** A CLOCK_MONOTONIC time as wall clock, ISO 8601. What happens at one time asks for it more than once. */
export const wallTime = (facts: KeeperFacts, monotonicMs: number): string => {
  const wallMs = monotonicMs + facts.realtimeOffset;
  if (wallMs !== madeFor) {
    made = new Date(wallMs).toISOString();
    madeFor = wallMs;
  }
  return made;
};
let madeFor = Number.NaN;
let made = "";
