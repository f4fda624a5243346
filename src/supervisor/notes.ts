// The last things that happened, numbered, for `crankctl events`: kept in the journal, so that they outlive a sleep.
import type { EventEntry } from "../control/messages.ts";
import type { Note } from "../core/effects.ts";
import type { Outbox } from "./outbox.ts";

const NOTES_KEPT = 256;
const decoder = new TextDecoder();

/** The notes that are held, as the JSON that the journal has: it is read only when somebody asks. */
export class NoteLog {
  #held = new Map<number, Uint8Array | string>();
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

  /** Adds a note and lets the oldest go. Returns the entry (an EventEntry) as JSON. */
  add(note: Note, time: string, outbox: Outbox): string {
    const seq = this.#next;
    const entry: EventEntry = { seq, time, ...note };
    const json = JSON.stringify(entry);
    this.#next += 1;
    this.#held.set(seq, json);
    outbox.putText(`note/${seq}`, json);
    if (this.#oldest === 0) this.#oldest = seq;
    while (this.#held.size > NOTES_KEPT) {
      this.#held.delete(this.#oldest);
      outbox.remove(`note/${this.#oldest}`);
      this.#oldest += 1;
    }
    return json;
  }

  /** The held notes from `seq` on, each as its JSON text. */
  from(seq: number): string[] {
    const texts: string[] = [];
    for (let number = Math.max(seq, this.#oldest); number < this.#next; number++) {
      const held = this.#held.get(number);
      if (held !== undefined) texts.push(typeof held === "string" ? held : decoder.decode(held));
    }
    return texts;
  }
}
