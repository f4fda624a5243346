// The simulated keeper's queue of events that no commit has consumed, with their numbers and times.
import type { EventKind, KeeperEvent } from "../../src/keeper/protocol.ts";
import { MESSAGES } from "../../src/keeper/protocol.ts";

type WithoutHeader<E> = E extends KeeperEvent ? Omit<E, "seq" | "happenedAt" | "deliveredAt"> : never;
/** An event as it is told, before it has a number and times. */
export type PostedEvent = WithoutHeader<KeeperEvent>;

type Queued = {
  readonly seq: number;
  readonly happenedAt: number;
  readonly happening: PostedEvent;
  /** Which of the descriptors that came with it somebody has taken. */
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

  /** The numbers of the last event that was made, delivered to this supervisor, consumed. */
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

  /** Takes over a descriptor of an outstanding datagram; false if it is not there. */
  takeDescriptor(seq: number, index: number): boolean {
    const event = this.#queue.find((queued) => queued.seq === seq);
    if (event?.happening.kind !== "datagram") return false;
    if (index >= event.happening.descriptors || event.taken.has(index)) return false;
    event.taken.add(index);
    return true;
  }

  /** Starts again with the first outstanding one, for a new supervisor. */
  rewind(): void {
    this.#delivered = this.#consumed;
  }

  /** The next one that this supervisor has not been given, or null. */
  deliver(): KeeperEvent | null {
    const queued = this.#queue.find((event) => event.seq > this.#delivered);
    if (!queued) return null;
    this.#delivered = queued.seq;
    const { seq, happenedAt, happening } = queued;
    // An event without its header, and the header.
    return { ...happening, seq, happenedAt, deliveredAt: this.#now() } as KeeperEvent;
  }

  /** Everything up to `seq` is done. */
  consume(seq: number): void {
    while (this.#queue[0] && this.#queue[0].seq <= seq) {
      const gone = this.#queue.shift();
      if (gone) this.#onGone(gone.happening);
    }
    this.#consumed = Math.max(this.#consumed, seq);
  }

  /** The first outstanding one was delivered, and its supervisor died of itself; how often that has happened to it. */
  blameFirst(): number {
    const [first] = this.#queue;
    if (!first || first.seq > this.#delivered) return 0;
    first.blamed += 1;
    return first.blamed;
  }

  /** Replaces the first one, if it is a line or a datagram, by a report that takes its number. */
  setFirstAside(): boolean {
    const [first] = this.#queue;
    if (first?.happening.kind !== "line" && first?.happening.kind !== "datagram") return false;
    const { code } = MESSAGES[first.happening.kind];
    const bytes = first.happening.bytes.slice(0, REPORTED_BYTES);
    this.#queue[0] = { ...first, happening: { kind: "setAside", event: code, bytes }, blamed: 0 };
    this.#onGone(first.happening);
    return true;
  }
}
