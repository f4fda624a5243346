// The sentences for people.
import { expect, test } from "bun:test";
import { describeEnding, describeFailure, describeRefusal, describeServiceEvent } from "../../src/core/describe.ts";

test("an ending says how a process ended", () => {
  expect(describeEnding({ kind: "exit", code: 3 })).toBe("exited with status 3");
  expect(describeEnding({ kind: "signal", signal: "SIGSEGV", core: true })).toBe(
    "was killed by SIGSEGV and dumped core",
  );
  expect(describeEnding({ kind: "unknown" })).toBe("exited with an unknown status");
});

test("a deploy's failure has the original's words where they exist", () => {
  expect(describeFailure({ kind: "exited", ending: { kind: "exit", code: 1 }, tail: "" })).toBe("Exited with code: 1");
  expect(describeFailure({ kind: "timeout", afterMs: 30_000, tail: "" })).toBe(
    "Failed to start: not ready within 30 s",
  );
  expect(describeFailure({ kind: "spawn", step: "chdir", errno: 2 })).toBe(
    "Failed to start: chdir: no such file or directory",
  );
  expect(describeFailure({ kind: "spawn", step: "exec", errno: 200 })).toBe("Failed to start: exec: unknown error 200");
  expect(
    describeFailure({ kind: "exited", ending: { kind: "signal", signal: "SIGABRT", core: false }, tail: "" }),
  ).toBe("Failed to start: it was killed by SIGABRT before it was available");
});

test("a worker's output never appears in a sentence", () => {
  const failure = { kind: "exited", ending: { kind: "exit", code: 1 }, tail: "\u001b[2J" } as const;
  expect(describeFailure(failure)).not.toContain("\u001b");
  const event = { kind: "workerFailed", worker: 1, generation: 1, pid: 2, failure, attemptsLeft: 1 } as const;
  expect(describeServiceEvent(event)).toBe(
    "Worker 1 (pid 2, generation 1) failed: it exited with status 1 before it was available; 1 more attempt",
  );
});

test("refusals have the original's words", () => {
  expect(describeRefusal({ kind: "rolloutInFlight" })).toBe("New process is already being started");
  expect(describeRefusal({ kind: "wrongPid", passed: 1, current: 2 })).toBe(
    "Passed pid (1) doesn't match the current pid (2)",
  );
});

test("events name the worker, its process if it has one, and its generation", () => {
  expect(describeServiceEvent({ kind: "workerStarting", worker: 3, generation: 2 })).toBe(
    "Starting worker 3 (generation 2)",
  );
  expect(describeServiceEvent({ kind: "workerReady", worker: 3, generation: 2, pid: 9, afterMs: 1234 })).toBe(
    "Worker 3 (pid 9, generation 2) is ready after 1.234 s",
  );
  expect(describeServiceEvent({ kind: "scaled", from: 2, to: 1 })).toBe("Scaling from 2 to 1 worker");
});
