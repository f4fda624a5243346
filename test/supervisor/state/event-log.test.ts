// The history of events: what is kept, and that workers' messages displace no other events.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { LIMITS } from "../../../src/keeper/protocol.ts";
import { Batch } from "../../../src/supervisor/state/batch.ts";
import { type AnyEvent, EventLog } from "../../../src/supervisor/state/parts/event-log.ts";

const TIME = "2026-01-01T00:00:00.000Z";
const word = (errno: number): AnyEvent => ({ kind: "workerErrno", worker: 1, pid: 2, errno, reason: "x" });
const deed = (worker: number): AnyEvent => ({ kind: "socketTaken", address: "a", uri: "u", worker, pid: 1, fd: 3 });

/** A log with its journal, for simulated deaths of a supervisor. */
class Kept {
  readonly journal = new Map<string, string>();
  eventsOf = new EventLog();

  add(...eventsOf: readonly AnyEvent[]): void {
    const batch = new Batch();
    for (const event of eventsOf) this.eventsOf.add(event, TIME);
    this.eventsOf.write(batch);
    this.#apply(batch);
    while (this.eventsOf.hasUnpublished) {
      this.eventsOf.takeUnpublished(batch, 1000);
      this.#apply(batch);
    }
  }

  die(): void {
    this.eventsOf = new EventLog();
    for (const [key, value] of this.journal) {
      if (key === "told") this.eventsOf.restorePublished(Number(value));
      const [first = 0, count = 0, words = 0] = key.startsWith("notes/") ? key.slice(6).split("+").map(Number) : [];
      if (count > 0) this.eventsOf.restore(first, count, words, new TextEncoder().encode(value));
    }
  }

  get entries(): { readonly seq: number; readonly kind: string }[] {
    return this.eventsOf.from(0).map((json) => JSON.parse(json));
  }

  #apply(batch: Batch): void {
    for (const command of batch.take(0, 0)) {
      if (command.kind === "put") this.journal.set(command.key, String(command.value));
      if (command.kind === "remove") this.journal.delete(command.key);
    }
  }
}

describe("the history of events", () => {
  test("keeps all other events when workers send more than is kept", () => {
    const kept = new Kept();
    for (let number = 1; number <= 500; number++) kept.add(deed(number));
    for (let number = 1; number <= 5000; number++) kept.add(word(number));
    const { entries } = kept;
    expect(entries.filter(({ kind }) => kind === "socketTaken").length).toBe(500);
    const words = entries.filter(({ kind }) => kind === "workerErrno");
    expect(words.length).toBeGreaterThanOrEqual(256);
    expect(words.length).toBeLessThan(320);
    expect(words.at(-1)?.seq).toBe(5500);
    kept.die();
    expect(kept.entries).toEqual(entries);
  });

  test("is in order, holds the last event of each kind and stays small, for any events", () => {
    const steps = fc.array(fc.tuple(fc.constantFrom("word", "deed", "die"), fc.nat(60)), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (list) => {
        const kept = new Kept();
        let added = 0;
        const last = { word: 0, deed: 0 };
        for (const [what, times] of list) {
          if (what === "die") kept.die();
          for (let time = 0; time < times && what !== "die"; time++) {
            added += 1;
            last[what === "word" ? "word" : "deed"] = added;
            kept.add(what === "word" ? word(added) : deed(added));
          }
        }
        const { entries } = kept;
        expect(kept.eventsOf.next).toBe(added + 1);
        expect(entries.map(({ seq }) => seq)).toEqual(
          [...new Set(entries.map(({ seq }) => seq))].sort((a, b) => a - b),
        );
        if (last.word > 0) expect(entries.findLast(({ kind }) => kind === "workerErrno")?.seq).toBe(last.word);
        if (last.deed > 0) expect(entries.findLast(({ kind }) => kind === "socketTaken")?.seq).toBe(last.deed);
        expect(entries.filter(({ kind }) => kind === "workerErrno").length).toBeLessThan(330);
        expect(kept.journal.size).toBeLessThan(500);
      }),
      { numRuns: 60 },
    );
  });

  test("has no journal value larger than the keeper's frames", () => {
    const kept = new Kept();
    const long = (worker: number): AnyEvent => ({ ...word(worker), reason: "x".repeat(60_000) }) as AnyEvent;
    for (let number = 1; number <= 1000; number++)
      kept.add({ ...deed(number), address: "y".repeat(40_000) } as AnyEvent, long(number));
    for (const value of kept.journal.values()) expect(value.length).toBeLessThan(LIMITS.frameBytes / 4);
  });
});
