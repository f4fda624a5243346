// The last events, numbered, for `crankctl events`. They are kept in the journal, so that they outlive the supervisor.
// Events are journalled in one batch and published (logged, streamed) in the next, so that a published event is never
// lost.

import type { EventEntry } from "../../../control/messages.ts";
import type { SupervisorEvent } from "../../../control/supervisor-events.ts";
import type { ServiceEvent } from "../../../core/model/effects.ts";
import type { Batch } from "../batch.ts";
import { keptValue } from "../kept-value.ts";

/** The minimum number of events that are kept; workers' messages are not counted. */
const EVENTS_KEPT = 1024;
/** How many events are kept that workers can cause at will by messages. They only push out one another. */
const WORKER_EVENTS_KEPT = 256;
const WORKER_EVENTS: ReadonlySet<AnyEvent["kind"]> = new Set([
  "workerStatus",
  "workerErrno",
  "workerMoved",
  "wordsRefused",
  "wordsNotUnderstood",
  "watchdogRefused",
  "descriptorsStored",
  "descriptorsGiven",
  "descriptorsLost",
  "tokenRefused",
] as const);
/**
 * Each page is a journal key, and a starting supervisor is sent all of them. So this many small pages are merged into
 * one, repeatedly, until it has SMALL_PAGE entries.
 */
const PAGES_MERGED = 8;
const SMALL_PAGE = 32;
/** The longest merged page, in UTF-16 units: a journal value must fit into one of the keeper's frames. */
const MOST_PAGE_UNITS = 256 * 1024;
const decoder = new TextDecoder();

/** An event of the core or of the supervisor. */
export type AnyEvent = ServiceEvent | SupervisorEvent;
export type Unpublished = { readonly event: AnyEvent; readonly json: string };

/** The entries of one keeper event, from number `first` on, under one journal key. Decoded only on demand. */
type Page = {
  readonly first: number;
  readonly count: number;
  /** How many of them are workers' messages. */
  readonly workerEvents: number;
  readonly texts: readonly string[] | Uint8Array;
};
/** An entry's JSON. */
type Text = { readonly json: string; readonly isWorkerEvent: boolean };

/** The kept events. */
export class EventLog {
  /** Ordered by number. */
  #pages: Page[] = [];
  /** Without workers' messages. */
  #held = 0;
  #workerEvents = 0;
  #next = 1;
  /** The last event that was published. */
  #published = 0;
  #unpublished: Unpublished[] = [];
  /**
   * The events of this keeper event so far, as JSON; how many are workers' messages; their total length in UTF-16
   * units.
   */
  #added: string[] = [];
  #addedWorkerEvents = 0;
  #addedUnits = 0;
  /** Small pages since the last merge, or from the journal. */
  #unmerged = 0;

  /** Restores which events were published. */
  restorePublished(seq: number): void {
    this.#published = seq;
  }

  /** Restores a page from the journal: `count` entries from number `first` on. Pages may come in any order. */
  restore(first: number, count: number, workerEvents: number, bytes: Uint8Array): void {
    let index = this.#pages.length;
    while (index > 0 && (this.#pages[index - 1]?.first ?? 0) > first) index--;
    this.#pages.splice(index, 0, { first, count, workerEvents, texts: bytes });
    this.#held += count - workerEvents;
    this.#workerEvents += workerEvents;
    this.#unmerged += count < SMALL_PAGE ? 1 : 0;
    this.#next = Math.max(this.#next, first + count);
  }

  /** The number of the oldest kept event; that of the next one if there is none. */
  get first(): number {
    return this.#pages[0]?.first ?? this.#next;
  }

  /** The number of the next event. */
  get next(): number {
    return this.#next;
  }

  /** Adds an event; `write` journals it. */
  add(event: AnyEvent, time: string): void {
    // An EventEntry. JSON.stringify makes the longer part, without a copy of the event.
    const json = `{"seq":${this.#next},"time":"${time}",${JSON.stringify(event).slice(1)}`;
    this.#next += 1;
    this.#added.push(json);
    this.#addedUnits += json.length;
    if (WORKER_EVENTS.has(event.kind)) this.#addedWorkerEvents += 1;
    this.#unpublished.push({ event, json });
  }

  /** Journals the added events as one page, and removes the oldest published pages. */
  write(batch: Batch): void {
    const texts = this.#added;
    const count = texts.length;
    if (count === 0) return;
    const added: WrittenPage = { first: this.#next - count, count, workerEvents: this.#addedWorkerEvents, texts };
    if (this.#addedUnits <= MOST_PAGE_UNITS) this.#write(added, batch);
    else for (const page of pagesOf(added.first, markedTextsOf(added))) this.#write(page, batch);
    this.#added = [];
    this.#addedWorkerEvents = 0;
    this.#addedUnits = 0;
    for (let oldest = this.#pages[0]; oldest; oldest = this.#pages[0]) {
      const isPublished = oldest.first + oldest.count - 1 <= this.#published;
      if (!isPublished || this.#held - (oldest.count - oldest.workerEvents) < EVENTS_KEPT) return;
      this.#pages.shift();
      this.#held -= oldest.count - oldest.workerEvents;
      this.#workerEvents -= oldest.workerEvents;
      batch.remove(keyOf(oldest));
    }
  }

  #write(page: WrittenPage, batch: Batch): void {
    const { count, workerEvents } = page;
    batch.putText(keyOf(page), jsonOf(page));
    this.#pages.push(page);
    this.#held += count - workerEvents;
    this.#workerEvents += workerEvents;
    if (count < SMALL_PAGE) this.#unmerged += 1;
  }

  /** Whether an added event is not journalled yet. */
  get hasAdded(): boolean {
    return this.#added.length > 0;
  }

  get hasUnpublished(): boolean {
    return this.#published < this.#next - 1;
  }

  /**
   * The events to publish now, each with its JSON (an EventEntry): at most `most` UTF-16 units together, but at least
   * one event. They count as published.
   */
  takeUnpublished(batch: Batch, most: number): readonly Unpublished[] {
    const unpublished =
      this.#unpublished.length === this.#next - 1 - this.#published
        ? this.#unpublished
        : this.from(this.#published + 1).map((json) => ({ event: JSON.parse(json), json }));
    const count = countWithin(unpublished, most);
    this.#unpublished = unpublished.slice(count);
    this.#published += count;
    batch.put("told", this.#published);
    if (this.#unmerged >= PAGES_MERGED) this.#merge(batch);
    return unpublished.slice(0, count);
  }

  /** Merges each row of small pages into one. */
  #merge(batch: Batch): void {
    const pages: Page[] = [];
    let small: Page[] = [];
    const close = (): void => {
      const [first] = small;
      if (first && small.length > 1) {
        for (const page of small) batch.remove(keyOf(page));
        for (const merged of pagesOf(first.first, small.flatMap(markedTextsOf))) {
          batch.putText(keyOf(merged), jsonOf(merged));
          pages.push(merged);
        }
      } else pages.push(...small);
      small = [];
    };
    for (const page of this.#withoutOldWorkerEvents(batch)) {
      const last = small.at(-1);
      if (last && last.first + last.count !== page.first) close();
      if (isSmall(page)) small.push(page);
      else {
        close();
        pages.push(page);
      }
    }
    close();
    this.#pages = pages;
    this.#unmerged = 0;
  }

  /** The pages without the oldest surplus messages of workers. Removed numbers stay unused. */
  #withoutOldWorkerEvents(batch: Batch): readonly Page[] {
    const pages: Page[] = [];
    for (const page of this.#pages) {
      const surplus = Math.min(page.workerEvents, this.#workerEvents - WORKER_EVENTS_KEPT);
      const isPublished = page.first + page.count - 1 <= this.#published;
      if (surplus <= 0 || !isPublished) {
        pages.push(page);
        continue;
      }
      batch.remove(keyOf(page));
      this.#workerEvents -= surplus;
      for (const rest of remainder(page, surplus)) {
        batch.putText(keyOf(rest), jsonOf(rest));
        pages.push(rest);
      }
    }
    return pages;
  }

  /** The kept events from `seq` on, as JSON texts. */
  from(seq: number): string[] {
    return this.#pages
      .filter((page) => page.first + page.count > seq)
      .flatMap((page) => textsOf(page).slice(Math.max(0, seq - page.first)));
  }
}

/** A long page is not small even with few entries: merging would write it again and again. */
const isSmall = ({ count, texts }: Page): boolean => {
  if (count >= SMALL_PAGE) return false;
  const units = texts instanceof Uint8Array ? texts.length : texts.reduce((sum, text) => sum + text.length, 0);
  return units < MOST_PAGE_UNITS / 2;
};

/**
 * The journal key of a page: first number, number of entries, and of messages among them, so that it is not decoded for
 * these.
 */
const keyOf = ({ first, count, workerEvents }: Page): string =>
  `notes/${first}+${count}${workerEvents === 0 ? "" : `+${workerEvents}`}`;

/** A page without its oldest messages, as pages without gaps. */
const remainder = (page: Page, surplus: number): readonly WrittenPage[] => {
  const pages: WrittenPage[] = [];
  let row: Text[] = [];
  let remaining = surplus;
  const close = (end: number): void => {
    if (row.length > 0) pages.push(...pagesOf(end - row.length, row));
    row = [];
  };
  for (const [index, text] of markedTextsOf(page).entries()) {
    if (text.isWorkerEvent && remaining > 0) {
      remaining -= 1;
      close(page.first + index);
    } else row.push(text);
  }
  close(page.first + page.count);
  return pages;
};

const markedTextsOf = (page: Page): readonly Text[] =>
  textsOf(page).map((json) => ({
    json,
    isWorkerEvent: page.workerEvents > 0 && WORKER_EVENTS.has(JSON.parse(json).kind),
  }));

const jsonOf = ({ texts }: { readonly texts: readonly string[] }): string => `[${texts.join(",")}]`;

type WrittenPage = Page & { readonly texts: readonly string[] };

/** Entries from number `first` on, split into pages of bounded length. */
const pagesOf = (first: number, texts: readonly Text[]): readonly WrittenPage[] => {
  const pages: WrittenPage[] = [];
  let begun = 0;
  let units = 0;
  const close = (end: number): void => {
    const some = texts.slice(begun, end);
    const workerEvents = some.filter(({ isWorkerEvent }) => isWorkerEvent).length;
    pages.push({ first: first + begun, count: some.length, workerEvents, texts: some.map(({ json }) => json) });
    begun = end;
    units = 0;
  };
  for (const [index, { json }] of texts.entries()) {
    if (index > begun && units + json.length > MOST_PAGE_UNITS) close(index);
    units += json.length;
  }
  close(texts.length);
  return pages;
};

/** How many of them fit into this many UTF-16 units; one if the first is longer. */
const countWithin = (published: readonly Unpublished[], most: number): number => {
  let units = 0;
  for (const [index, { json }] of published.entries()) {
    units += json.length;
    if (index > 0 && units > most) return index;
  }
  return published.length;
};

const textsOf = ({ texts }: Page): readonly string[] => {
  if (!(texts instanceof Uint8Array)) return texts;
  const entries: EventEntry[] = keptValue(decoder.decode(texts));
  return entries.map((entry) => JSON.stringify(entry));
};
