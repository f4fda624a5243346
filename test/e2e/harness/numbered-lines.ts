// The numbered lines of `worker -lines`, as crank passes them on: they show whether a line is lost or doubled.

/** The numbers that each worker printed, by its pid, in the order of output. */
export const numberedLines = (text: string): ReadonlyMap<string, number[]> => {
  const lines = new Map<string, number[]>();
  for (const [, pid = "", number] of text.matchAll(/^\w+ [ \d]\d \S+ id=\d+ pid=(\d+) line (\d+) x*$/gm))
    lines.set(pid, [...(lines.get(pid) ?? []), Number(number)]);
  return lines;
};
