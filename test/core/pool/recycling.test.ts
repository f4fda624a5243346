// Replacing serving workers that are too old or too large.
import { describe, expect, test } from "bun:test";
import { nextDeadline } from "../../../src/core/deadline.ts";
import { ownLimit } from "../../../src/core/model/age.ts";
import { EXIT_1, eventsOf, Service, signals, started } from "../service.ts";

const HOUR = 3_600_000;
const NO_SURGE = { surge: 0, unavailable: 1 };

const serving = (spec: object, respawn: { baseMs: number } | null = null): Service => {
  const service = new Service({ respawn });
  service.deploy({ startTimeoutMs: null, ...spec });
  return service;
};

const bringUp = (service: Service, worker: number): void => {
  service.spawned(worker);
  service.ready(worker);
};

const dismissals = (service: Service): unknown[] =>
  eventsOf(service.effects).flatMap((event) => (event.kind === "workerDismissed" ? [event.reason.kind] : []));

const sizes = (service: Service, bytes: Readonly<Record<number, number>>): void => {
  const all = Object.entries(bytes).map(([worker, size]) => ({ worker: Number(worker), bytes: size }));
  service.send({ kind: "measured", now: service.now, sizes: all });
};

describe("a worker's own limit", () => {
  test("is up to a tenth below the spec's, constant, and different from its neighbour's", () => {
    const limits = Array.from({ length: 100 }, (_, id) => ownLimit(HOUR, id + 1));
    for (const limit of limits) {
      expect(limit).toBeGreaterThan(HOUR * 0.9);
      expect(limit).toBeLessThanOrEqual(HOUR);
    }
    expect(ownLimit(HOUR, 7)).toBe(ownLimit(HOUR, 7));
    for (const [index, limit] of limits.slice(1).entries())
      expect(Math.abs(limit - (limits[index] ?? 0))).toBeGreaterThan(HOUR * 0.03);
  });
});

describe("a worker that is too old", () => {
  test("is replaced after its successor is ready", () => {
    const service = serving({ maxAgeMs: HOUR });
    expect(nextDeadline(service.state)).toBe(service.now + ownLimit(HOUR, 1));
    service.pass(HOUR);
    expect(dismissals(service)).toEqual(["age"]);
    expect(started(service.effects)).toEqual([2]);
    expect(signals(service.effects)).toEqual([]);
    bringUp(service, 2);
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
  });

  test("is stopped first without a surge", () => {
    const service = serving({ instances: 2, maxAgeMs: HOUR, stopSteps: [], ...NO_SURGE });
    service.pass(HOUR);
    expect(signals(service.effects).length).toBe(1);
    expect(started(service.effects)).toEqual([]);
  });

  test("waits until the successor of the previous one serves", () => {
    const service = serving({ instances: 3, maxAgeMs: HOUR });
    service.pass(HOUR);
    expect(dismissals(service)).toEqual(["age"]);
    expect(service.ids("starting")).toEqual([4]);
    service.pass(1000);
    expect(service.effects).toEqual([]);
    bringUp(service, 4);
    service.pass(0);
    expect(dismissals(service)).toEqual(["age"]);
    expect(service.ids("starting")).toEqual([5]);
  });

  test("waits for the pause after the previous one", () => {
    const service = serving({ instances: 3, maxAgeMs: HOUR, pauseMs: 60_000 });
    service.pass(HOUR);
    bringUp(service, 4);
    service.pass(59_999);
    expect(dismissals(service)).toEqual([]);
    service.pass(1);
    expect(dismissals(service)).toEqual(["age"]);
  });

  test("waits while as many workers drain as may", () => {
    const service = serving({ instances: 3, maxAgeMs: HOUR, maxDraining: 1, stopSteps: [] });
    service.pass(HOUR);
    bringUp(service, 4);
    const [drains] = service.ids("stopping");
    service.pass(1000);
    expect(dismissals(service)).toEqual([]);
    service.exited(drains ?? 0);
    service.pass(0);
    expect(dismissals(service)).toEqual(["age"]);
  });

  test("waits for a rollout, which replaces it", () => {
    const service = serving({ maxAgeMs: HOUR });
    service.run({ maxAgeMs: HOUR, startTimeoutMs: null });
    service.pass(HOUR);
    expect(dismissals(service)).toEqual([]);
  });

  test("waits while workers are missing", () => {
    const service = serving({ instances: 2, maxAgeMs: HOUR, startTimeoutMs: null }, { baseMs: 1000 });
    service.pass(HOUR / 2);
    service.exited(2, EXIT_1);
    service.pass(HOUR);
    expect(dismissals(service)).toEqual([]);
    bringUp(service, 3);
    service.pass(0);
    expect(dismissals(service)).toEqual(["age"]);
  });

  test("stays until a successor can be started", () => {
    const service = serving({ maxAgeMs: HOUR });
    service.pass(HOUR);
    service.spawned(2);
    service.exited(2, EXIT_1);
    expect(service.ids("ready")).toEqual([1]);
    service.pass(60_000);
    const [next] = service.ids("starting");
    bringUp(service, next ?? 0);
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
  });
});

describe("memory use", () => {
  const LIMITED = { instances: 2, maxMemory: 1000, memoryIntervalMs: 60_000 };

  test("is measured at the spec's interval, and not during a rollout", () => {
    const service = serving(LIMITED);
    service.pass(59_999);
    expect(service.effects).toEqual([]);
    service.pass(1);
    expect(service.effects).toEqual([{ kind: "measure" }]);
    service.pass(60_000);
    expect(service.effects).toEqual([{ kind: "measure" }]);
    service.run({ ...LIMITED, startTimeoutMs: null });
    service.pass(HOUR);
    expect(service.effects).toEqual([]);
  });

  test("is not measured without a limit", () => {
    expect(nextDeadline(serving({ instances: 2 }).state)).toBeNull();
  });

  test("above its limit has a worker replaced, the one furthest above it first", () => {
    const service = serving(LIMITED);
    sizes(service, { 1: 1100, 2: 1900, 99: 5000 });
    expect(eventsOf(service.effects)).toContainEqual(
      expect.objectContaining({
        kind: "workerDismissed",
        worker: 2,
        reason: { kind: "memory", bytes: 1900, limit: ownLimit(1000, 2) },
      }),
    );
    expect(started(service.effects)).toEqual([3]);
    sizes(service, { 1: 1100, 2: 1900 });
    expect(service.effects).toEqual([]);
    bringUp(service, 3);
    expect(signals(service.effects)).toEqual(["2 SIGTERM"]);
    sizes(service, { 1: 1100, 3: 10 });
    expect(started(service.effects)).toEqual([4]);
  });

  test("below its limit does nothing", () => {
    const service = serving(LIMITED);
    sizes(service, { 1: 900, 2: ownLimit(1000, 2) });
    expect(service.effects).toEqual([]);
  });
});
