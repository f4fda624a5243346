// Workers that crank evicts and replaces: in which order, by which signals, and independently of `-respawn`.
import { describe, expect, test } from "bun:test";
import type { Eviction } from "../../../src/core/model/worker.ts";
import { EXIT_0, EXIT_1, eventsOf, exitStatus, Service, signals, started } from "../service.ts";

const WATCHDOG: Eviction = { kind: "watchdog", afterMs: 10_000 };
const NO_SURGE = { surge: 0, unavailable: 1 };

/** A service whose workers 1 … n have served for some time. */
const serving = (instances: number, spec: object = {}): Service => {
  const service = new Service();
  service.deploy({ instances, ...spec });
  service.pass(60_000);
  return service;
};

const bringUp = (service: Service, worker: number): void => {
  service.spawned(worker);
  service.ready(worker);
};

describe("an evicted worker", () => {
  test("is replaced before it is stopped, although -respawn is off", () => {
    const service = serving(1);
    service.evict(1);
    expect(started(service.effects)).toEqual([2]);
    expect(signals(service.effects)).toEqual([]);
    service.spawned(2);
    service.ready(2);
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
    service.exited(1);
    expect(service.ids("ready")).toEqual([2]);
    expect(exitStatus(service.effects)).toBeUndefined();
  });

  test("is stopped first when workers may not overlap, and crank waits for its successor", () => {
    const service = serving(1, NO_SURGE);
    service.evict(1);
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
    expect(started(service.effects)).toEqual([]);
    service.exited(1, EXIT_1);
    expect(exitStatus(service.effects)).toBeUndefined();
    service.pass(1000);
    bringUp(service, 2);
    expect(service.ids("ready")).toEqual([2]);
  });

  test("gets SIGABRT instead of its first stop signal for a missed watchdog, and then the others", () => {
    const service = serving(1, NO_SURGE);
    service.evict(1, WATCHDOG);
    expect(signals(service.effects)).toEqual(["1 SIGABRT"]);
    service.pass(30_000);
    expect(signals(service.effects)).toEqual(["1 SIGKILL tree"]);
  });

  test("is evicted and reported once", () => {
    const service = serving(1);
    service.evict(1);
    expect(eventsOf(service.effects)).toContainEqual(
      expect.objectContaining({ kind: "workerDismissed", worker: 1, pid: 101 }),
    );
    service.evict(1, WATCHDOG);
    expect(service.effects).toEqual([]);
  });

  test("has one successor, even when it exits before that is ready", () => {
    const service = serving(2);
    service.evict(1);
    service.exited(1, EXIT_1);
    bringUp(service, 3);
    service.pass(60_000);
    expect(service.ids("ready")).toEqual([2, 3]);
    expect(service.ids("starting")).toEqual([]);
  });

  test("has one successor, and workers that died have none, without respawn", () => {
    const service = serving(3);
    service.exited(2, EXIT_0);
    service.evict(1);
    bringUp(service, 4);
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
    service.exited(1);
    service.pass(60_000);
    expect(service.ids("ready")).toEqual([3, 4]);
  });

  test("is replaced within the surge, like the others", () => {
    const service = serving(3);
    service.evict(1);
    service.evict(2);
    service.evict(3);
    expect(service.ids("starting")).toEqual([4]);
    for (const successor of [4, 5, 6]) {
      bringUp(service, successor);
      for (const id of service.ids("stopping")) service.exited(id);
    }
    expect(service.ids("ready")).toEqual([4, 5, 6]);
  });

  test("is stopped before the next attempt when its successor fails, which may need its resources", () => {
    const service = serving(1);
    service.evict(1);
    service.spawned(2);
    service.exited(2, EXIT_1);
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
    service.exited(1);
    service.pass(2000);
    bringUp(service, 3);
    expect(service.ids("ready")).toEqual([3]);
  });

  test("is the only one that is stopped for a failed successor, however many are evicted", () => {
    const service = serving(3);
    for (const worker of [1, 2, 3]) service.evict(worker);
    for (const successor of [4, 5, 6]) {
      service.spawned(successor);
      service.exited(successor, EXIT_1);
      service.pass(20_000);
    }
    expect(service.ids("ready")).toEqual([2, 3]);
  });

  test("is replaced however often its successor fails, with growing delays", () => {
    const service = serving(1);
    service.evict(1);
    service.exited(1);
    for (const successor of [2, 3, 4, 5]) {
      service.spawned(successor);
      service.exited(successor, EXIT_1);
      expect(exitStatus(service.effects)).toBeUndefined();
      service.pass(20_000);
    }
    bringUp(service, 6);
    expect(service.ids("ready")).toEqual([6]);
  });

  test("that is evicted again is started no faster than one that dies", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    service.deploy();
    service.evict(1);
    expect(started(service.effects)).toEqual([]);
    expect(started(service.pass(1000))).toEqual([2]);
  });

  test("is replaced by a deploy that starts meanwhile, and only once", () => {
    const service = serving(2);
    service.evict(1);
    service.deploy({ instances: 2 });
    service.bringUp();
    service.pass(60_000);
    expect(service.workers("ready").map(({ generation }) => generation)).toEqual([2, 2]);
    expect(service.state.service.owed).toBe(0);
  });

  test("has no successor when the pool is scaled down", () => {
    const service = serving(2, NO_SURGE);
    service.evict(1);
    service.scale({ to: 1 });
    service.exited(1);
    service.pass(60_000);
    expect(service.ids("ready")).toEqual([2]);
    expect(service.ids("starting")).toEqual([]);
  });

  test("is stopped by a shutdown like any other, and has no successor", () => {
    const service = serving(1, NO_SURGE);
    service.evict(1);
    service.shutdown();
    service.exited(1);
    expect(exitStatus(service.effects)).toBe(0);
  });
});

describe("a new worker that is evicted before it is available", () => {
  test("fails its deploy, and the old one continues to serve", () => {
    const service = serving(1);
    const request = service.run({ minReadyMs: 5000 });
    bringUp(service, 2);
    service.evict(2);
    expect(signals(service.effects)).toEqual(["2 SIGKILL tree"]);
    service.exited(2);
    expect(service.effects).toContainEqual(
      expect.objectContaining({
        kind: "answer",
        request,
        outcome: expect.objectContaining({ kind: "rolledBack", worker: 2 }),
      }),
    );
    expect(service.ids("ready")).toEqual([1]);
  });
});

describe("a worker that starts, stops or has exited", () => {
  test("cannot be evicted", () => {
    const service = new Service();
    service.run();
    service.evict(1);
    service.evict(7);
    expect(service.effects).toEqual([]);
    expect(service.state.service.owed).toBe(0);
  });
});
