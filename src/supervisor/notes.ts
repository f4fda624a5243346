// The last things that happened, numbered, for `crankctl events`: kept in the journal, so that they outlive a sleep.
// Noting and telling are two batches: what happened is written down with its deeds, and told (logged, streamed) after.
import type { Happening } from "../control/happenings.ts";
import type { EventEntry } from "../control/messages.ts";
import type { Note } from "../core/effects.ts";
import type { Outbox } from "./outbox.ts";

/** What is held for who asks later, at least. */
const NOTES_KEPT = 1024;
/**
 * So many pages become one when there are as many that have not been: each page is a key of the journal, and a supervisor
 * that starts is told of each.
 */
const PAGES_MERGED = 32;
/** A page is not made longer than this, in UTF-16 units: a journal value has to fit into one of the keeper's frames. */
const MOST_PAGE_UNITS = 256 * 1024;
const decoder = new TextDecoder();

/** What the core notes, and what the supervisor does. */
export type AnyNote = Note | Happening;
export type Told = { readonly note: AnyNote; readonly json: string };

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
  /** The pages behind the last merged one. */
  #unmerged = 0;

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
    this.#unmerged += count < PAGES_MERGED ? 1 : 0;
    this.#next = Math.max(this.#next, first + count);
  }

  /** The number of the oldest note that is held; that of the next one if there is none. */
  get first(): number {
    return this.#pages[0]?.first ?? this.#next;
  }

  /** The number that the next note will get. */
  get next(): number {
    return this.#next;
  }

  /** Takes note of what happened; `write` writes it down. */
  add(note: AnyNote, time: string): void {
    const entry: EventEntry = { seq: this.#next, time, ...note };
    const json = JSON.stringify(entry);
    this.#next += 1;
    this.#texts.push(json);
    this.#untold.push({ note, json });
  }

  /** Writes down what was added, as one page, and lets the oldest pages go that have been told. */
  write(outbox: Outbox): void {
    if (this.#texts.length === 0) return;
    for (const page of pagesOf(this.#next - this.#texts.length, this.#texts)) {
      outbox.putText(keyOf(page), jsonOf(page));
      this.#pages.push(page);
      this.#held += page.count;
      this.#unmerged += page.count < PAGES_MERGED ? 1 : 0;
    }
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

  /**
   * The notes that are to be told now, each with its JSON (an EventEntry): as many as have `most` UTF-16 units together, and
   * at least one. They count as told.
   */
  takeUntold(outbox: Outbox, most: number): readonly Told[] {
    const untold =
      this.#untold.length === this.#next - 1 - this.#told
        ? this.#untold
        : this.from(this.#told + 1).map((json) => ({ note: JSON.parse(json), json }));
    const count = countWithin(untold, most);
    this.#untold = untold.slice(count);
    this.#told += count;
    outbox.put("told", this.#told);
    if (this.#unmerged >= PAGES_MERGED) this.#merge(outbox);
    return untold.slice(0, count);
  }

  /** Makes one page of each row of small ones. */
  #merge(outbox: Outbox): void {
    const pages: Page[] = [];
    let small: Page[] = [];
    const close = (): void => {
      const [first] = small;
      if (first && small.length > 1) {
        for (const page of small) outbox.remove(keyOf(page));
        for (const merged of pagesOf(first.first, small.flatMap(textsOf))) {
          outbox.putText(keyOf(merged), jsonOf(merged));
          pages.push(merged);
        }
      } else pages.push(...small);
      small = [];
    };
    for (const page of this.#pages) {
      if (page.count < PAGES_MERGED) small.push(page);
      else {
        close();
        pages.push(page);
      }
    }
    close();
    this.#pages = pages;
    this.#unmerged = 0;
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

const jsonOf = ({ texts }: { readonly texts: readonly string[] }): string => `[${texts.join(",")}]`;

type WrittenPage = Page & { readonly texts: readonly string[] };

/** Entries from number `first` on, cut into pages that are not too long. */
const pagesOf = (first: number, texts: readonly string[]): readonly WrittenPage[] => {
  const pages: WrittenPage[] = [];
  let begun = 0;
  let units = 0;
  for (const [index, text] of texts.entries()) {
    if (index > begun && units + text.length > MOST_PAGE_UNITS) {
      pages.push({ first: first + begun, count: index - begun, texts: texts.slice(begun, index) });
      begun = index;
      units = 0;
    }
    units += text.length;
  }
  return [...pages, { first: first + begun, count: texts.length - begun, texts: texts.slice(begun) }];
};

/** How many of them have so many UTF-16 units together; one, if the first is longer. */
const countWithin = (told: readonly Told[], most: number): number => {
  let units = 0;
  for (const [index, { json }] of told.entries()) {
    units += json.length;
    if (index > 0 && units > most) return index;
  }
  return told.length;
};

const textsOf = ({ texts }: Page): readonly string[] => {
  if (!(texts instanceof Uint8Array)) return texts;
  const entries: EventEntry[] = JSON.parse(decoder.decode(texts));
  return entries.map((entry) => JSON.stringify(entry));
};
