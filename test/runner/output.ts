// What a failed test file printed, in the order in which it is wanted: a log that is cut off after a page must still say
// which tests failed, and why.

/** The names of the tests that failed, each once. */
export const failuresIn = (output: string): readonly string[] => namesIn(output, "fail");

/** The names of the tests that were left out, each once. */
export const skippedIn = (output: string): readonly string[] => namesIn(output, "skip");

/** What the tests that were left out need, as their names say in parentheses (test/needs.ts): how many of them need each. */
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

/** The failed tests' names, and then all that was printed but the names of those that passed. */
export const failuresFirst = (output: string): string =>
  [
    ...failuresIn(output).map((name) => `failed: ${name}`),
    ...output.split("\n").filter((line) => !/^\((pass|skip|todo)\) /.test(line)),
  ].join("\n");
