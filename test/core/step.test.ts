// The step function itself: it never throws, shares unchanged values, and names its next deadline.
import { describe, expect, test } from "bun:test";
import { nextDeadline } from "../../src/core/deadline.ts";
import type { CoreEvent } from "../../src/core/model/events.ts";
import { findWorker } from "../../src/core/model/workers.ts";
import { EXIT_1, Service } from "./service.ts";

describe("step", () => {
  test("ignores an event about an unknown worker, or one without a meaning in the current state", () => {
    const service = new Service();
    service.deploy();
    const { state, now } = service;
    const events: CoreEvent[] = [
      { kind: "spawned", now, worker: 77, pid: 1, startTime: 1 },
      { kind: "spawned", now, worker: 1, pid: 999, startTime: 1 },
      { kind: "spawnFailed", now, worker: 77, step: "exec", errno: 2 },
      { kind: "workerReady", now, at: now, worker: 77 },
      { kind: "workerReady", now, at: now, worker: 1 },
      { kind: "workerExited", now, at: now, worker: 77, ending: EXIT_1, tail: "" },
      { kind: "recorded", now, error: null },
      { kind: "tick", now },
    ];
    for (const event of events) {
      expect(service.send(event)).toEqual([]);
      expect(service.state).toBe(state);
    }
  });

  test("keeps the identity of unchanged values", () => {
    const service = new Service();
    service.deploy({ instances: 3 });
    const { workers, generations, history } = service.state;
    service.scale({ by: 1 });
    expect(service.state.workers).not.toBe(workers);
    for (const id of [1, 2, 3]) expect(findWorker(service.state.workers, id)).toBe(findWorker(workers, id));
    expect(service.state.history).toBe(history);
    service.spawned(4);
    expect(service.state.generations).not.toBe(generations);
    const { service: before } = service.state;
    service.exited(1, EXIT_1);
    expect(findWorker(service.state.workers, 2)).toBe(findWorker(workers, 2));
    expect(service.state.service).not.toBe(before);
  });

  test("has no deadline at rest", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    expect(nextDeadline(service.state)).toBeNull();
    service.deploy({ instances: 4, rolloutDeadlineMs: 5000, minReadyMs: 0 });
    expect(nextDeadline(service.state)).toBeNull();
  });

  test("waits for the earliest deadline", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    service.run({ startTimeoutMs: 4000, minReadyMs: 500, rolloutDeadlineMs: 5000 });
    expect(nextDeadline(service.state)).toBe(service.now + 4000);
    service.spawned(1);
    service.ready(1);
    expect(nextDeadline(service.state)).toBe(service.now + 500);
    service.pass(500);
    service.recorded();
    service.exited(1, EXIT_1);
    expect(nextDeadline(service.state)).toBe(service.now + 500);
    service.pass(500);
    expect(service.ids("starting")).toEqual([2]);
    service.shutdown();
    expect(nextDeadline(service.state)).toBe(service.now + 30_000);
  });

  test("waits for the rollout's deadline if workers have none", () => {
    const service = new Service();
    service.run({ startTimeoutMs: null, rolloutDeadlineMs: 5000 });
    expect(nextDeadline(service.state)).toBe(service.now + 5000);
  });
});
