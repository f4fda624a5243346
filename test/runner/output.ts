// The output of a failed test file, in a useful order: even the first page of a log must say which tests failed, and
// why.

/** The names of the tests that failed, each once. */
export const failuresIn = (output: string): readonly string[] => namesIn(output, "fail");

/** The names of the skipped tests, each once. */
export const skippedIn = (output: string): readonly string[] => namesIn(output, "skip");

/** The needs of skipped tests, from the parentheses in their names (test/needs.ts): how many tests have each. */
export const needsIn = (output: string): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const name of skippedIn(output)) {
    const need = /\(needs ([^)]*)\)/.exec(name)?.[1] ?? /\(([^()]+)\)/.exec(name)?.[1] ?? "what their names say";
    counts.set(need, (counts.get(need) ?? 0) + 1);
  }
  return counts;
};

const namesIn = (output: string, fate: "fail" | "skip"): readonly string[] => [
  ...new Set(
    output.split("\n").flatMap((line) => {
      const [, found, name = ""] = /^\((fail|skip)\) (.*?)(?: \[[\d.]+m?s\])?$/.exec(line) ?? [];
      return found === fate ? [name] : [];
    }),
  ),
];

/** The failed tests' names, followed by all output except the names of those that passed. */
export const failuresFirst = (output: string): string =>
  [
    ...failuresIn(output).map((name) => `failed: ${name}`),
    ...output.split("\n").filter((line) => !/^\((pass|skip|todo)\) /.test(line)),
  ].join("\n");
