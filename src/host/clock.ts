// Time and random numbers. Modules must not use either while they are loaded, because the result would become part of
// the heap image.

export type Timer = {
  cancel(): void;
  /** Lets the process end while the timer is still waiting. */
  release(): void;
};

export type Clock = {
  /** ms since 1970. */
  wallNow(): number;
  /** CLOCK_MONOTONIC, ms. */
  monotonicNow(): number;
  /** Calls `act` once, after at least `ms`. */
  after(ms: number, act: () => void): Timer;
  every(ms: number, act: () => void): Timer;
  /** Fills at most 256 bytes with random numbers. */
  random(bytes: Uint8Array): void;
};
