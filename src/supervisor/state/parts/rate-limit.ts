// Rate limiter for events that untrusted parties can trigger.

/** How many events were published since `since` (CLOCK_MONOTONIC ms), and how many more were suppressed. */
export type RateLimit = { readonly since: number; readonly told: number; readonly more: number };

/** At most `most` events are published in `perMs`. */
export type Measure = { readonly most: number; readonly perMs: number };

/**
 * Counts one event, or `times` at once. `suppressed`: how many were suppressed before it; null: this one is suppressed
 * too. `next`: the new state.
 */
export const limitRate = (
  before: RateLimit | undefined,
  now: number,
  { most, perMs }: Measure,
  times = 1,
): { readonly suppressed: number | null; readonly next: RateLimit } => {
  const isNew = before === undefined || now >= before.since + perMs;
  if (isNew) return { suppressed: before?.more ?? 0, next: { since: now, told: 1, more: 0 } };
  if (before.told < most) return { suppressed: before.more, next: { ...before, told: before.told + 1, more: 0 } };
  return { suppressed: null, next: { ...before, more: before.more + times } };
};
