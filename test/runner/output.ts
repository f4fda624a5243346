// What a failed test file printed, in the order in which it is wanted: a log that is cut off after a page must still say
// which tests failed, and why.

/** The names of the tests that failed, each once. */
export const failuresIn = (output: string): readonly string[] => namesIn(output, "fail");

/** The names of the tests that were left out, each once. */
export const skippedIn = (output: string): readonly string[] => namesIn(output, "skip");

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
