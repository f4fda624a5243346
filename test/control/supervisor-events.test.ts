// The sentences for events of crank itself, and their rate limit.
import { expect, test } from "bun:test";
import { describeEvent } from "../../src/commands/crankctl/streams/event-text.ts";
import type { EventEntry } from "../../src/control/messages.ts";
import { describeSupervisorEvent, isSupervisorEvent } from "../../src/control/supervisor-event-text.ts";
import type { SupervisorEvent } from "../../src/control/supervisor-events.ts";
import { limitRate, type RateLimit } from "../../src/supervisor/state/parts/rate-limit.ts";

test.each<[SupervisorEvent, string]>([
  [
    { kind: "supervisorDied", ending: { kind: "exit", code: 3 } },
    "The supervisor exited with status 3; it was restarted, and the workers are not affected",
  ],
  [
    { kind: "messageSetAside", event: 9, bytes: 40 },
    "Three supervisors crashed on the same message, which is skipped (event 9, 40 bytes); please report this",
  ],
  [
    { kind: "journalFailed", step: "write", reason: "no space left on device" },
    "The journal cannot be written (write: no space left on device); it continues in memory",
  ],
  [{ kind: "journalRestored", afterMs: 1200 }, "The journal is on disk again, after 2 s in memory"],
  [{ kind: "recordRestored", path: "/x.conf" }, "The record /x.conf was written again, with the current generation"],
  [
    { kind: "releaseGone", generation: 3, worker: 7, gone: "/r/1", cwd: "/r/2", file: "/r/2/serve" },
    "Generation 3 ran from /r/1, which was removed; worker 7 is started from the path as given, which now leads to /r/2/serve in /r/2",
  ],
  [
    { kind: "listenerShutDown", address: "tcp://[::]:80", failure: "invalid argument" },
    "tcp://[::]:80: a worker shut this socket down for all workers, and it cannot listen again: invalid argument",
  ],
  [
    { kind: "upgradeRefused", by: "SIGUSR1", message: "Crank is shutting down; it is not upgraded" },
    "SIGUSR1: Crank is shutting down; it is not upgraded",
  ],
  [
    { kind: "wordsRefused", worker: 2, pid: 9, uid: 7, words: "READY=1", more: 3 },
    "Process 9 of user 7 sent READY=1 for worker 2, to which it does not belong; ignored (3 more like it were not reported)",
  ],
  [
    { kind: "adoptionLoss", worker: 1, pid: 4, loss: "its output cannot be recovered", reason: "no such process" },
    "Worker 1 (pid 4): its output cannot be recovered: no such process",
  ],
  [
    { kind: "descriptorsLost", cause: "killed", pid: 5, extent: "surely", count: 11, names: ["a", "b"] },
    "Lost with crank 5, which held the only copies: 11 stored descriptors (a, b, …); their connections are closed",
  ],
])("%j", (happening, sentence) => {
  expect(isSupervisorEvent(happening)).toBe(true);
  expect(describeSupervisorEvent(happening)).toBe(sentence);
});

test("the core's events are not among them, and an unknown event is named", () => {
  expect(isSupervisorEvent({ kind: "workerStarted" })).toBe(false);
  expect(isSupervisorEvent({ kind: "constructor" })).toBe(false);
  const later = { seq: 1, time: "2030-01-01T00:00:00.000Z", kind: "moonRose" } as unknown as EventEntry;
  expect(describeEvent(later)).toBe("moonRose, an event that this crankctl does not know; -json shows it");
});

test("frequent events are reported a few times and then counted", () => {
  const measure = { most: 2, perMs: 1000 };
  const told: (number | null)[] = [];
  let known: RateLimit | undefined;
  for (const now of [0, 1, 2, 3, 999, 1000, 1001, 5000]) {
    const { suppressed, next } = limitRate(known, now, measure);
    told.push(suppressed);
    known = next;
  }
  expect(told).toEqual([0, 0, null, null, null, 3, 0, 0]);
});
