// The simulated keeper's queue of unconsumed events, with their numbers and times.
import type { EventKind, KeeperEvent } from "../../src/keeper/protocol.ts";
import { MESSAGES } from "../../src/keeper/protocol.ts";

type WithoutHeader<E> = E extends KeeperEvent ? Omit<E, "seq" | "happenedAt" | "deliveredAt"> : never;
/** An event before it has a number and times. */
export type PostedEvent = WithoutHeader<KeeperEvent>;

type Queued = {
  readonly seq: number;
  readonly happenedAt: number;
  readonly happening: PostedEvent;
  /** The descriptors of this event that were taken. */
  readonly taken: Set<number>;
  blamed: number;
};

const REPORTED_BYTES = 256;

export class EventQueue {
  readonly #now: () => number;
  readonly #onGone: (happening: PostedEvent) => void;
  #queue: Queued[] = [];
  #last = 0;
  #consumed = 0;
  #delivered = 0;

  /** `onGone` is called for each event that a commit has consumed. */
  constructor(now: () => number, onGone: (happening: PostedEvent) => void) {
    this.#now = now;
    this.#onGone = onGone;
  }

  /** The numbers of the last event that was posted, delivered to this supervisor, and consumed. */
  get last(): number {
    return this.#last;
  }
  get delivered(): number {
    return this.#delivered;
  }
  get consumed(): number {
    return this.#consumed;
  }
  get outstanding(): number {
    return this.#queue.length;
  }

  has(kind: EventKind): boolean {
    return this.#queue.some((queued) => queued.happening.kind === kind);
  }

  post(happening: PostedEvent, happenedAt: number = this.#now()): void {
    this.#last += 1;
    this.#queue.push({ seq: this.#last, happenedAt, happening, taken: new Set(), blamed: 0 });
  }

  /** Takes a descriptor of an outstanding datagram; false if there is none. */
  takeDescriptor(seq: number, index: number): boolean {
    const event = this.#queue.find((queued) => queued.seq === seq);
    if (event?.happening.kind !== "datagram") return false;
    if (index >= event.happening.descriptors || event.taken.has(index)) return false;
    event.taken.add(index);
    return true;
  }

  /** Begins again with the first outstanding event, for a new supervisor. */
  rewind(): void {
    this.#delivered = this.#consumed;
  }

  /** The next event that this supervisor has not received, or null. */
  deliver(): KeeperEvent | null {
    const queued = this.#queue.find((event) => event.seq > this.#delivered);
    if (!queued) return null;
    this.#delivered = queued.seq;
    const { seq, happenedAt, happening } = queued;
    // A body and a header are an event.
    return { ...happening, seq, happenedAt, deliveredAt: this.#now() } as KeeperEvent;
  }

  /** Removes all events up to `seq`. */
  consume(seq: number): void {
    while (this.#queue[0] && this.#queue[0].seq <= seq) {
      const gone = this.#queue.shift();
      if (gone) this.#onGone(gone.happening);
    }
    this.#consumed = Math.max(this.#consumed, seq);
  }

  /**
   * A supervisor crashed after the first outstanding event was delivered. Returns how often this has happened with that
   * event.
   */
  blameFirst(): number {
    const [first] = this.#queue;
    if (!first || first.seq > this.#delivered) return 0;
    first.blamed += 1;
    return first.blamed;
  }

  /** Replaces the first event, if it is a line or a datagram, by a `quarantined` event with its number. */
  setFirstAside(): boolean {
    const [first] = this.#queue;
    if (first?.happening.kind !== "line" && first?.happening.kind !== "datagram") return false;
    const { code } = MESSAGES[first.happening.kind];
    const bytes = first.happening.bytes.slice(0, REPORTED_BYTES);
    this.#queue[0] = { ...first, happening: { kind: "quarantined", event: code, bytes }, blamed: 0 };
    this.#onGone(first.happening);
    return true;
  }
}
