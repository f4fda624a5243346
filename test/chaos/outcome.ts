// The result of chaos, for people: a failure with its seed and everything that was done.
import type { Outcome } from "./chaos.ts";

export const describeOutcome = ({ faults, log, steps, counts }: Outcome, seed: number): string => {
  const { answered, talks, drained, excused } = counts;
  const summary = `${steps} orders, ${answered} answers, ${talks} talks, ${drained} drains, ${excused} connections lost with killed workers`;
  if (faults.length === 0) return `${summary}: nothing else was lost`;
  return [...log, "", ...faults, "", `seed ${seed} (${summary}); again: make chaos SEED=${seed}`].join("\n");
};
