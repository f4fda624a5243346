// How many simulated lives a run of the tests lives. `.ci/run` lives more of them than `make test` has time for.

/** How many times as many lives as usual. */
const FACTOR = Number(process.env.CRANK_TEST_LIVES ?? 1);

/** How many of `usual` lives to live. Throws if CRANK_TEST_LIVES is no positive number. */
export const livesToLive = (usual: number): number => {
  if (!(FACTOR > 0)) throw new Error(`CRANK_TEST_LIVES is "${process.env.CRANK_TEST_LIVES}", not a positive number`);
  return Math.ceil(usual * FACTOR);
};
