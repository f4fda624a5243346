// Scaling: more or fewer workers of the current generation.
import { describe, expect, test } from "bun:test";
import { findWorker } from "../../../src/core/model/workers.ts";
import { EXIT_1, eventsOf, exitStatus, outcomeOf, Service, signals, started } from "../service.ts";

describe("scaling", () => {
  test("up starts workers and answers at once", () => {
    const service = new Service();
    service.deploy();
    const request = service.scale({ to: 3 });
    expect(started(service.effects)).toEqual([2, 3]);
    expect(outcomeOf(service.effects, request)).toEqual({ kind: "scaled", from: 1, to: 3 });
    expect(eventsOf(service.effects)).toContainEqual({ kind: "scaled", from: 1, to: 3 });
  });

  test("down stops unavailable workers first, then the oldest", () => {
    const service = new Service();
    service.deploy({ instances: 3 });
    service.scale({ by: 1 });
    service.scale({ to: 2 });
    expect(signals(service.effects)).toEqual(["4 SIGTERM", "1 SIGTERM"]);
  });

  test("does not change the record", () => {
    const service = new Service();
    service.deploy();
    const { history } = service.state;
    service.scale({ to: 3 });
    expect(service.state.history).toBe(history);
    expect(service.state.generations[1]?.spec.instances).toBe(1);
  });

  test("to zero leaves crank running, and up again starts new workers", () => {
    const service = new Service();
    service.deploy();
    service.scale({ to: 0 });
    expect(exitStatus(service.exited(1))).toBeUndefined();
    service.scale({ by: 2 });
    expect(started(service.effects)).toEqual([2, 3]);
  });

  test("up with a worker that fails does not retry without respawn", () => {
    const service = new Service();
    service.deploy();
    service.scale({ to: 2 });
    service.spawnFailed(2);
    expect(eventsOf(service.effects)).toContainEqual(expect.objectContaining({ kind: "workerFailed", worker: 2 }));
    expect(started(service.pass(60_000))).toEqual([]);
    expect(service.ids("ready")).toEqual([1]);
  });

  test("up with a worker that fails retries with respawn", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    service.deploy();
    service.now += 5000;
    service.scale({ to: 2 });
    expect(started(service.spawnFailed(2))).toEqual([]);
    expect(started(service.pass(1500))).toEqual([3]);
  });

  test("up without a surge waits until an evicted worker has exited", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    service.deploy({ instances: 2, surge: 0, unavailable: 1 });
    service.exited(1, EXIT_1);
    service.evict(2, { kind: "notAlive", detail: "hangs" });
    expect(started(service.pass(1500))).toEqual([3]);
    service.scale({ to: 6 });
    expect(started(service.effects)).toEqual([4, 5, 6, 7]);
    for (const worker of [3, 4, 5, 6, 7]) {
      service.spawned(worker);
      service.ready(worker);
    }
    expect(findWorker(service.state.workers, 2)?.kind).toBe("stopping");
    service.exited(2);
    service.pass(5000);
    expect(service.ids("starting")).toEqual([8]);
  });

  test("to the current number replaces workers that died", () => {
    const service = new Service();
    service.deploy({ instances: 2 });
    service.exited(1, EXIT_1);
    service.scale({ to: 2 });
    expect(started(service.effects)).toEqual([3]);
  });

  test.each([-1, 1001, 1.5, Number.NaN])("to %p is refused", (to) => {
    const service = new Service();
    service.deploy();
    const request = service.scale({ to });
    expect(outcomeOf(service.effects, request)).toEqual({
      kind: "refused",
      refusal: { kind: "outOfRange", instances: to },
    });
  });

  test("is refused when nothing runs, during a rollout, and during a shutdown", () => {
    const service = new Service();
    const refusals: unknown[] = [];
    const scale = () => {
      const request = service.scale({ to: 2 });
      refusals.push(outcomeOf(service.effects, request));
    };
    scale();
    service.run();
    scale();
    service.shutdown();
    scale();
    expect(refusals).toEqual(
      ["nothingToScale", "rolloutInFlight", "shuttingDown"].map((kind) => ({ kind: "refused", refusal: { kind } })),
    );
  });
});
