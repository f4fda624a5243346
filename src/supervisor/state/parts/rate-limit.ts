// What others can make happen as often as they like is told a few times, and counted from there on.

/** How often something was told since `since` (CLOCK_MONOTONIC ms), and how often it has happened untold. */
export type Seldom = { readonly since: number; readonly told: number; readonly more: number };

/** So many in such a time are told. */
export type Measure = { readonly most: number; readonly perMs: number };

/**
 * One more of it (or `times` at once). `untold`: so many were not told before it; null if this is not to be told either.
 * `next` is what has to be remembered.
 */
export const oneMore = (
  before: Seldom | undefined,
  now: number,
  { most, perMs }: Measure,
  times = 1,
): { readonly untold: number | null; readonly next: Seldom } => {
  const isNew = before === undefined || now >= before.since + perMs;
  if (isNew) return { untold: before?.more ?? 0, next: { since: now, told: 1, more: 0 } };
  if (before.told < most) return { untold: before.more, next: { ...before, told: before.told + 1, more: 0 } };
  return { untold: null, next: { ...before, more: before.more + times } };
};
