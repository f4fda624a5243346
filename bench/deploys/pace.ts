// How fast this machine is at the moment: on a host that others share, the same loop may take twice as long a minute later,
// and every figure with it.
import { summarize } from "../measure.ts";

const TIMES = 11;
const ADDITIONS = 5_000_000;

/** The duration of a fixed loop: the median of some runs, ms. */
export const pace = (): number => {
  const samples: number[] = [];
  for (let time = 0; time < TIMES; time++) {
    const begun = performance.now();
    let sum = 0;
    for (let number = 0; number < ADDITIONS; number++) sum = (sum + number) | 0;
    samples.push(performance.now() - begun);
    if (sum === 1) throw new Error("a sum that cannot be");
  }
  return summarize(samples).median;
};
