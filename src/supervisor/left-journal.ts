// What can be said of a journal that another crank left behind.
import { readJournal } from "../keeper/journal.ts";

/** Completes "the journal FILE …". `bootId` is this boot's. */
export const describeLeftJournal = (bytes: Uint8Array, bootId: string): string => {
  const journal = readJournal(bytes);
  switch (journal.kind) {
    case "empty":
      return "is empty";
    case "newer":
      return `was written by a later version of crank (format ${journal.version})`;
    case "corrupt":
      return `is damaged: ${journal.reason}`;
    case "entries":
      return journal.bootId === bootId
        ? "was left by a crank that was killed; workers that it left may still be running"
        : "is from before the machine was started";
  }
};
