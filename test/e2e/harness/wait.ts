// Waiting for a condition: the only way in which a test waits.

/** How long a condition may take before the test fails; generous, because the machine may be busy. */
const PATIENCE_MS = 60_000;

/** A look often starts a command: the longer the wait, the rarer the looks, and no wait grows by more than a tenth. */
const pauseAfter = (waitedMs: number): number => Math.min(100, Math.max(5, waitedMs / 10));

/** Waits until `look` gives something other than null, undefined or false. */
export const waitFor = async <T>(what: string, look: () => T | Promise<T>): Promise<NonNullable<Exclude<T, false>>> => {
  const begun = performance.now();
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) return seen as NonNullable<Exclude<T, false>>;
    const waited = performance.now() - begun;
    if (waited > PATIENCE_MS) throw new Error(`waited ${PATIENCE_MS / 1000} s in vain for ${what}`);
    await Bun.sleep(pauseAfter(waited));
  }
};
