// The last things that happened, numbered, for `crankctl events`: kept in the journal, so that they outlive a sleep.
import type { EventEntry } from "../control/messages.ts";
import type { Note } from "../core/effects.ts";
import type { Outbox } from "./outbox.ts";

const NOTES_KEPT = 256;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The notes that are held, as the bytes that the journal has: they are read only when somebody asks. */
export class NoteLog {
  #held = new Map<number, Uint8Array>();
  #oldest = 0;
  #next = 1;

  /** Takes a note back from the journal. */
  restore(seq: number, bytes: Uint8Array): void {
    this.#held.set(seq, bytes);
    this.#next = Math.max(this.#next, seq + 1);
    this.#oldest = this.#oldest === 0 ? seq : Math.min(this.#oldest, seq);
  }

  /** The number that the next note will get. */
  get next(): number {
    return this.#next;
  }

  /** Adds a note and lets the oldest go. */
  add(note: Note, time: string, outbox: Outbox): EventEntry {
    const entry: EventEntry = { seq: this.#next, time, ...note };
    this.#next += 1;
    this.#held.set(entry.seq, encoder.encode(JSON.stringify(entry)));
    outbox.put(`note/${entry.seq}`, entry);
    if (this.#oldest === 0) this.#oldest = entry.seq;
    while (this.#held.size > NOTES_KEPT) {
      this.#held.delete(this.#oldest);
      outbox.remove(`note/${this.#oldest}`);
      this.#oldest += 1;
    }
    return entry;
  }

  /** The held notes from `seq` on, each as its JSON text. */
  from(seq: number): string[] {
    const texts: string[] = [];
    for (let number = Math.max(seq, this.#oldest); number < this.#next; number++) {
      const bytes = this.#held.get(number);
      if (bytes) texts.push(decoder.decode(bytes));
    }
    return texts;
  }
}
