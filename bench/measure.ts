// The parts of every measurement: samples, their minimum, median and maximum, and their target.

/** `atMost` and `atLeast` apply to the median, or to the worst sample with `holds`. */
export type Target = { readonly holds: "median" | "worst" } & (
  | { readonly atMost: number }
  | { readonly atLeast: number }
);

/** One figure. `samples` in `unit`; null target: for information. */
export type Figure = {
  readonly name: string;
  readonly unit: string;
  readonly samples: readonly number[];
  readonly target: Target | null;
};

/** A file of this folder: figures that are measured together. */
export type Measurement = { readonly name: string; readonly measure: () => Promise<readonly Figure[]> };

export type Summary = { readonly min: number; readonly median: number; readonly max: number };

export const summarize = (samples: readonly number[]): Summary => {
  const sorted = [...samples].sort((a, b) => a - b);
  return { min: sorted[0] ?? Number.NaN, median: percentile(sorted, 0.5), max: sorted.at(-1) ?? Number.NaN };
};

/** The value below which `share` of the sorted samples lie. */
export const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/** Whether the target is reached; null if there is none. */
export const isReached = ({ samples, target }: Figure): boolean | null => {
  if (!target) return null;
  const { min, median, max } = summarize(samples);
  if ("atMost" in target) return (target.holds === "median" ? median : max) <= target.atMost;
  return (target.holds === "median" ? median : min) >= target.atLeast;
};

export const describeTarget = (target: Target | null): string => {
  if (!target) return "";
  const bound = "atMost" in target ? `≤ ${target.atMost}` : `≥ ${target.atLeast}`;
  return target.holds === "median" ? bound : `${bound} always`;
};
