// Time and chance. No module may ask for either while it is loaded: the answer would be part of the heap image.

export type Timer = {
  cancel(): void;
  /** It does not keep the process alive any longer. */
  release(): void;
};

export type Clock = {
  /** ms since 1970. */
  wallNow(): number;
  /** CLOCK_MONOTONIC, ms. */
  monotonicNow(): number;
  /** Calls once, after at least so many ms. */
  after(ms: number, act: () => void): Timer;
  every(ms: number, act: () => void): Timer;
  /** Fills at most 256 bytes with random numbers. */
  random(bytes: Uint8Array): void;
};
