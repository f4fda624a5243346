// The number of simulated lives in a test run. `.ci/run` runs more than `make test` has time for.

/** Factor for the usual number of lives. */
const FACTOR = Number(process.env.CRANK_TEST_LIVES ?? 1);

/** The number of lives to run instead of `usual`. Throws if CRANK_TEST_LIVES is not a positive number. */
export const livesToLive = (usual: number): number => {
  if (!(FACTOR > 0)) throw new Error(`CRANK_TEST_LIVES is "${process.env.CRANK_TEST_LIVES}", not a positive number`);
  return Math.ceil(usual * FACTOR);
};
