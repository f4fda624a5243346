// The lines that were entered, for as long as the shell runs. Bounded in lines and in size.

export type History = readonly string[];

export const MOST_ENTRIES = 1000;
/** Of all entries together, in UTF-16 units. */
export const MOST_HISTORY = 1024 * 1024;

/** Adds an entry. A repetition of the last one is not kept; if there are too many, the oldest are dropped. */
export const remember = (history: History, entry: string): History => {
  if (entry === "" || entry === history.at(-1)) return history;
  const all = [...history, entry].slice(-MOST_ENTRIES);
  let size = all.reduce((sum, one) => sum + one.length, 0);
  let first = 0;
  while (size > MOST_HISTORY && first < all.length - 1) size -= all[first++]?.length ?? 0;
  return size > MOST_HISTORY ? [] : all.slice(first);
};
