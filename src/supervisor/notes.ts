// The last things that happened, numbered, for `crankctl events`: kept in the journal, so that they outlive a sleep.
// Noting and telling are two batches: what happened is written down with its deeds, and told (logged, streamed) after.
import type { EventEntry } from "../control/messages.ts";
import type { Note } from "../core/effects.ts";
import type { Outbox } from "./outbox.ts";

const NOTES_KEPT = 256;
const decoder = new TextDecoder();

export type Told = { readonly note: Note; readonly json: string };

/** The notes that are held, as the JSON that the journal has: it is read only when somebody asks. */
export class NoteLog {
  #held = new Map<number, Uint8Array | string>();
  #oldest = 0;
  #next = 1;
  /** The last note that was told. */
  #told = 0;
  #untold: Told[] = [];

  /** Takes back from the journal how far the telling had come. */
  restoreTold(seq: number): void {
    this.#told = seq;
  }

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

  /** Writes a note down and lets the oldest go. */
  add(note: Note, time: string, outbox: Outbox): void {
    const seq = this.#next;
    const entry: EventEntry = { seq, time, ...note };
    const json = JSON.stringify(entry);
    this.#next += 1;
    this.#held.set(seq, json);
    this.#untold.push({ note, json });
    outbox.putText(`note/${seq}`, json);
    if (this.#oldest === 0) this.#oldest = seq;
    while (this.#held.size > NOTES_KEPT && this.#oldest <= this.#told) {
      this.#held.delete(this.#oldest);
      outbox.remove(`note/${this.#oldest}`);
      this.#oldest += 1;
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
    const texts: string[] = [];
    for (let number = Math.max(seq, this.#oldest); number < this.#next; number++) {
      const held = this.#held.get(number);
      if (held !== undefined) texts.push(typeof held === "string" ? held : decoder.decode(held));
    }
    return texts;
  }
}
