// Rollouts of pools: how many workers start and stop at once, and the rollback.
import { describe, expect, test } from "bun:test";
import { findWorker } from "../../../src/core/model/workers.ts";
import { EXIT_1, exitStatus, outcomeOf, Service, signals, started } from "../service.ts";

describe("a rollout of a pool", () => {
  test("replaces one worker after the other with a surge of one", () => {
    const service = new Service();
    service.deploy({ instances: 3 });
    service.run({ instances: 3 });
    expect(started(service.effects)).toEqual([4]);
    for (const [incoming, old] of [
      [4, 1],
      [5, 2],
      [6, 3],
    ] as const) {
      service.spawned(incoming);
      const effects = service.ready(incoming);
      expect(signals(effects)).toEqual([`${old} SIGTERM`]);
      expect(started(effects)).toEqual(incoming < 6 ? [incoming + 1] : []);
    }
    expect(service.state.service.current).toBe(2);
  });

  test("starts as many workers at once as the surge allows", () => {
    const service = new Service();
    service.deploy({ instances: 4 });
    service.run({ instances: 4, surge: 3 });
    expect(started(service.effects)).toEqual([5, 6, 7]);
  });

  test("without a surge stops a worker before it starts one", () => {
    const service = new Service();
    service.deploy({ instances: 3 });
    service.run({ instances: 3, surge: 0, unavailable: 1 });
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
    expect(started(service.effects)).toEqual([]);
    expect(started(service.exited(1))).toEqual([4]);
    service.spawned(4);
    expect(signals(service.ready(4))).toEqual(["2 SIGTERM"]);
  });

  test("with neither surge nor unavailable acts as with unavailable one", () => {
    const service = new Service();
    service.deploy();
    service.run({ surge: 0, unavailable: 0 });
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
  });

  test("with a surge keeps all workers available even if some may be unavailable", () => {
    const service = new Service();
    service.deploy({ instances: 3 });
    service.run({ instances: 3, surge: 1, unavailable: 1 });
    expect(signals(service.effects)).toEqual([]);
    expect(started(service.effects)).toEqual([4]);
  });

  test("stops a worker that never becomes ready when it needs its place", () => {
    const service = new Service({ respawn: { baseMs: 0 } });
    service.deploy({ instances: 3 });
    service.exited(1, EXIT_1);
    service.exited(2, EXIT_1);
    expect(service.ids("starting")).toEqual([4, 5]);
    service.run({ instances: 3, surge: 0, unavailable: 1 });
    expect(signals(service.effects)).toEqual(["4 SIGTERM"]);
    expect(started(service.exited(4))).toEqual([6]);
  });

  test("to fewer workers stops the superfluous ones first", () => {
    const service = new Service();
    service.deploy({ instances: 4 });
    service.run({ instances: 2 });
    expect(signals(service.effects)).toEqual(["1 SIGTERM", "2 SIGTERM"]);
    expect(started(service.effects)).toEqual([5]);
  });

  test("continues when an old worker exits, and does not restart it", () => {
    const service = new Service({ respawn: { baseMs: 0 } });
    service.deploy({ instances: 2 });
    service.run({ instances: 2 });
    const effects = service.exited(1, EXIT_1);
    expect(service.workers("starting").every(({ generation }) => generation === 2)).toBe(true);
    expect(started(effects)).toEqual([4]);
  });

  test("replaces a new worker that exits after it was available, with a backoff", () => {
    const service = new Service();
    service.deploy({ instances: 2 });
    service.run({ instances: 2, surge: 2 });
    service.spawned(3);
    service.ready(3);
    expect(started(service.exited(3, EXIT_1))).toEqual([]);
    expect(started(service.pass(1000))).toEqual([5]);
  });

  test("stops unavailable workers first", () => {
    const service = new Service({ respawn: { baseMs: 0 } });
    service.deploy({ instances: 2 });
    service.exited(1, EXIT_1);
    expect(service.ids("starting")).toEqual([3]);
    service.run({ instances: 2, surge: 2 });
    service.spawned(4);
    expect(signals(service.ready(4))).toEqual(["3 SIGTERM"]);
  });
});

describe("a rollback", () => {
  test("restarts the stopped workers, and keeps new workers that serve until then", () => {
    const service = new Service();
    service.deploy({ instances: 3 });
    const request = service.run({ instances: 3 });
    service.spawned(4);
    service.ready(4);
    service.spawned(5);
    const effects = service.exited(5, EXIT_1);
    expect(outcomeOf(effects, request)?.kind).toBe("rolledBack");
    expect(started(effects)).toEqual([6]);
    expect(signals(effects)).toEqual([]);
    expect(findWorker(service.state.workers, 6)?.generation).toBe(1);
    service.spawned(6);
    expect(signals(service.ready(6))).toEqual(["4 SIGTERM"]);
    expect(service.state.service.rollout).toBeNull();
    expect(service.ids("ready")).toEqual([2, 3, 6]);
  });

  test("retries starts with growing delays while new workers serve", () => {
    const service = new Service();
    service.deploy({ instances: 2 });
    service.run({ instances: 2 });
    service.spawned(3);
    service.ready(3);
    expect(started(service.spawnFailed(4))).toEqual([5]);
    expect(started(service.spawnFailed(5))).toEqual([]);
    expect(started(service.pass(1499))).toEqual([]);
    expect(started(service.pass(1))).toEqual([6]);
    expect(service.ids("ready")).toEqual([2, 3]);
    service.spawned(6);
    expect(signals(service.ready(6))).toEqual(["3 SIGTERM"]);
  });

  test("without a surge waits until the failed worker has exited", () => {
    const service = new Service();
    service.deploy({ surge: 0, unavailable: 1 });
    service.run({ surge: 0, unavailable: 1, rolloutDeadlineMs: 1000 });
    service.exited(1);
    service.spawned(2);
    expect(signals(service.pass(1000))).toEqual(["2 SIGTERM"]);
    expect(service.ids("starting")).toEqual([]);
    expect(started(service.exited(2))).toEqual([3]);
    expect(findWorker(service.state.workers, 3)?.generation).toBe(1);
    expect(service.state.service.rollout).toBeNull();
  });

  test("without a previous generation stops all workers, and crank waits for another request", () => {
    const service = new Service();
    const request = service.run({ instances: 2, surge: 0, unavailable: 1 });
    service.spawned(1);
    service.ready(1);
    const effects = service.spawnFailed(2);
    expect(outcomeOf(effects, request)?.kind).toBe("rolledBack");
    expect(signals(effects)).toEqual(["1 SIGTERM"]);
    expect(exitStatus(service.exited(1))).toBeUndefined();
    service.run();
    expect(started(service.effects)).toEqual([3]);
  });

  test("of crank's own first deploy ends it with status 1", () => {
    const service = new Service();
    service.run({}, { request: null });
    expect(exitStatus(service.spawnFailed(1))).toBe(1);
  });
});
