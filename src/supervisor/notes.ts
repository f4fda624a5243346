// The last things that happened, numbered, for `crankctl events`: kept in the journal, so that they outlive a sleep.
// Noting and telling are two batches: what happened is written down with its deeds, and told (logged, streamed) after.
import type { EventEntry } from "../control/messages.ts";
import type { Note } from "../core/effects.ts";
import type { Outbox } from "./outbox.ts";

const NOTES_KEPT = 256;
const decoder = new TextDecoder();

export type Told = { readonly note: Note; readonly json: string };

/** What one event led to: the entries from number `first` on, as one journal key has them: read only when somebody asks. */
type Page = { readonly first: number; readonly count: number; readonly texts: readonly string[] | Uint8Array };

/** The notes that are held. */
export class NoteLog {
  /** In the order of their numbers. */
  #pages: Page[] = [];
  #held = 0;
  #next = 1;
  /** The last note that was told. */
  #told = 0;
  #untold: Told[] = [];
  /** What this event has led to so far. */
  #texts: string[] = [];

  /** Takes back from the journal how far the telling had come. */
  restoreTold(seq: number): void {
    this.#told = seq;
  }

  /** Takes a page back from the journal: `count` entries from number `first` on. The pages may come in any order. */
  restore(first: number, count: number, bytes: Uint8Array): void {
    const isInOrder = first > (this.#pages.at(-1)?.first ?? 0);
    this.#pages.push({ first, count, texts: bytes });
    if (!isInOrder) this.#pages.sort((a, b) => a.first - b.first);
    this.#held += count;
    this.#next = Math.max(this.#next, first + count);
  }

  /** The number that the next note will get. */
  get next(): number {
    return this.#next;
  }

  /** Takes note of what happened; `write` writes it down. */
  add(note: Note, time: string): void {
    const entry: EventEntry = { seq: this.#next, time, ...note };
    const json = JSON.stringify(entry);
    this.#next += 1;
    this.#texts.push(json);
    this.#untold.push({ note, json });
  }

  /** Writes down what was added, as one page, and lets the oldest pages go that have been told. */
  write(outbox: Outbox): void {
    const count = this.#texts.length;
    if (count === 0) return;
    const page: Page = { first: this.#next - count, count, texts: this.#texts };
    outbox.putText(keyOf(page), `[${this.#texts.join(",")}]`);
    this.#pages.push(page);
    this.#held += count;
    this.#texts = [];
    for (let oldest = this.#pages[0]; oldest; oldest = this.#pages[0]) {
      const isTold = oldest.first + oldest.count - 1 <= this.#told;
      if (!isTold || this.#held - oldest.count < NOTES_KEPT) return;
      this.#pages.shift();
      this.#held -= oldest.count;
      outbox.remove(keyOf(oldest));
    }
  }

  get hasUntold(): boolean {
    return this.#told < this.#next - 1;
  }

  /** The notes that are to be told now, each with its JSON (an EventEntry). They count as told. */
  takeUntold(outbox: Outbox): readonly Told[] {
    const untold =
      this.#untold.length === this.#next - 1 - this.#told
        ? this.#untold
        : this.from(this.#told + 1).map((json) => ({ note: JSON.parse(json), json }));
    this.#untold = [];
    this.#told = this.#next - 1;
    outbox.put("told", this.#told);
    return untold;
  }

  /** The held notes from `seq` on, each as its JSON text. */
  from(seq: number): string[] {
    return this.#pages
      .filter((page) => page.first + page.count > seq)
      .flatMap((page) => textsOf(page).slice(Math.max(0, seq - page.first)));
  }
}

/** Where a page is in the journal: its first entry's number and how many there are, so that it need not be read for that. */
const keyOf = ({ first, count }: Page): string => `notes/${first}+${count}`;

const textsOf = ({ texts }: Page): readonly string[] => {
  if (!(texts instanceof Uint8Array)) return texts;
  const entries: EventEntry[] = JSON.parse(decoder.decode(texts));
  return entries.map((entry) => JSON.stringify(entry));
};
