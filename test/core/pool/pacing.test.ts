// The pace of a rollout: pauses between replacements, and the limit on draining workers.
import { describe, expect, test } from "bun:test";
import { nextDeadline } from "../../../src/core/deadline.ts";
import { EXIT_1, eventsOf, outcomeOf, Service, signals, started } from "../service.ts";

const NO_SURGE = { surge: 0, unavailable: 1 };

const serving = (spec: object): Service => {
  const service = new Service();
  service.deploy(spec);
  for (const id of service.ids("stopping")) service.exited(id);
  service.pass(60_000);
  return service;
};

const bringUp = (service: Service, worker: number): void => {
  service.spawned(worker);
  service.ready(worker);
};

const waitings = (service: Service): unknown[] =>
  eventsOf(service.effects).filter(({ kind }) => kind === "rolloutWaiting" || kind === "rolloutGoesOn");

describe("a pause", () => {
  test("lasts from the end of one replacement to the start of the next", () => {
    const service = serving({ instances: 3 });
    service.run({ instances: 3, pauseMs: 5000 });
    bringUp(service, 4);
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
    expect(started(service.effects)).toEqual([]);
    expect(waitings(service)).toEqual([
      { kind: "rolloutWaiting", generation: 2, reason: { kind: "pause", afterMs: 5000 } },
    ]);
    expect(nextDeadline(service.state)).toBe(service.now + 5000);
    service.exited(1);
    expect(started(service.effects)).toEqual([]);
    service.pass(4999);
    expect(service.ids("starting")).toEqual([]);
    service.pass(1);
    expect(service.ids("starting")).toEqual([5]);
    expect(waitings(service)).toEqual([{ kind: "rolloutGoesOn", generation: 2 }]);
  });

  test("does not follow the last replacement or precede the first", () => {
    const service = serving({ instances: 1 });
    service.run({ instances: 1, pauseMs: 5000 });
    expect(service.ids("starting")).toEqual([2]);
    bringUp(service, 2);
    expect(service.state.service.rollout).toBeNull();
    expect(waitings(service)).toEqual([]);
    service.exited(1);
    expect(nextDeadline(service.state)).toBeNull();
  });

  test("does not slow down the first deploy, which replaces no worker", () => {
    const service = new Service();
    service.run({ instances: 3, pauseMs: 5000 });
    expect(service.ids("starting")).toEqual([1, 2, 3]);
    for (const id of [1, 2, 3]) bringUp(service, id);
    expect(service.state.service.rollout).toBeNull();
  });

  test("starts when the successor is available if the old worker is stopped first", () => {
    const service = serving({ instances: 2, ...NO_SURGE });
    service.run({ instances: 2, ...NO_SURGE, pauseMs: 5000 });
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
    service.exited(1);
    expect(started(service.effects)).toEqual([3]);
    bringUp(service, 3);
    expect(signals(service.effects)).toEqual([]);
    service.pass(5000);
    expect(signals(service.effects)).toEqual(["2 SIGTERM"]);
  });

  test("does not delay the replacement of workers that died", () => {
    const service = serving({ instances: 3 });
    service.run({ instances: 3, pauseMs: 5000, retries: 1 });
    bringUp(service, 4);
    service.exited(2, EXIT_1);
    expect(started(service.effects)).toEqual([5]);
  });

  test("does not delay the replacement of a worker that fails its liveness probe", () => {
    const service = serving({ instances: 3 });
    service.run({ instances: 3, pauseMs: 5000 });
    bringUp(service, 4);
    service.evict(2);
    expect(started(service.effects)).toEqual([5]);
  });

  test("ends when the rollout is rolled back, which is not slowed down", () => {
    const service = serving({ instances: 3 });
    const request = service.run({ instances: 3, pauseMs: 5000, retries: 0 });
    bringUp(service, 4);
    service.exited(1);
    service.exited(2, EXIT_1);
    service.spawned(5);
    service.exited(5, EXIT_1);
    expect(outcomeOf(service.effects, request)).toMatchObject({ kind: "rolledBack" });
    expect(service.state.service.pausedUntil).toBeNull();
    expect(service.ids("starting").length).toBe(2);
  });

  test("does not delay a deploy that supersedes the paused one", () => {
    const service = serving({ instances: 3 });
    service.run({ instances: 3, pauseMs: 5000 });
    bringUp(service, 4);
    service.run({ instances: 3, pauseMs: 5000 }, { supersede: true });
    expect(started(service.effects)).toEqual([5]);
  });

  test("counts towards the rollout's deadline", () => {
    const service = serving({ instances: 2 });
    const request = service.run({ instances: 2, pauseMs: 5000, rolloutDeadlineMs: 3000 });
    bringUp(service, 3);
    service.pass(3000);
    expect(outcomeOf(service.effects, request)).toMatchObject({ kind: "rolledBack", failure: { kind: "deadline" } });
  });
});

describe("with a limit on draining workers", () => {
  test("the next replacement starts when the limit permits it", () => {
    const service = serving({ instances: 3 });
    service.run({ instances: 3, maxDraining: 1 });
    bringUp(service, 4);
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
    expect(started(service.effects)).toEqual([]);
    expect(waitings(service)).toEqual([
      { kind: "rolloutWaiting", generation: 2, reason: { kind: "draining", limit: 1 } },
    ]);
    expect(service.state.service.rollout?.waiting).toEqual({ kind: "draining", limit: 1 });
    service.exited(1);
    expect(started(service.effects)).toEqual([5]);
    expect(waitings(service)).toEqual([{ kind: "rolloutGoesOn", generation: 2 }]);
  });

  test("draining workers of earlier generations count too, and a deploy waits for them", () => {
    const service = serving({ instances: 2 });
    service.run({ instances: 2, maxDraining: 2 });
    bringUp(service, 3);
    bringUp(service, 4);
    service.recorded();
    expect(service.ids("stopping")).toEqual([1, 2]);
    service.run({ instances: 2, maxDraining: 2 });
    expect(started(service.effects)).toEqual([]);
    expect(service.state.service.rollout?.waiting).toEqual({ kind: "draining", limit: 2 });
    service.exited(1);
    expect(started(service.effects)).toEqual([5]);
  });

  test("no more replacements start than old workers may drain", () => {
    const service = serving({ instances: 2, surge: 2 });
    service.run({ instances: 2, surge: 2, maxDraining: 1 });
    // No more are started than old workers may drain.
    expect(started(service.effects)).toEqual([3]);
  });

  test("without a surge no more workers are stopped than may drain", () => {
    const service = serving({ instances: 4, surge: 0, unavailable: 3 });
    service.run({ instances: 4, surge: 0, unavailable: 3, maxDraining: 2 });
    expect(signals(service.effects)).toEqual(["1 SIGTERM", "2 SIGTERM"]);
  });

  test("a rollback starts missing workers at once, and stops the new ones within the limit", () => {
    const service = serving({ instances: 2, maxDraining: 1 });
    const request = service.run({ instances: 2, maxDraining: 2, retries: 0 });
    bringUp(service, 3);
    service.spawned(4);
    service.exited(4, EXIT_1);
    expect(outcomeOf(service.effects, request)).toMatchObject({ kind: "rolledBack" });
    expect(started(service.effects)).toEqual([5]);
    bringUp(service, 5);
    expect(service.ids("stopping")).toEqual([1]);
    service.exited(1);
    expect(signals(service.effects)).toEqual(["3 SIGTERM"]);
  });

  test("a worker that fails its liveness probe is not limited", () => {
    const service = serving({ instances: 2 });
    service.deploy({ instances: 2, maxDraining: 1 });
    service.pass(60_000);
    const [first, second] = service.ids("ready");
    service.evict(first ?? 0);
    bringUp(service, service.ids("starting")[0] ?? 0);
    service.evict(second ?? 0);
    bringUp(service, service.ids("starting")[0] ?? 0);
    expect(service.ids("stopping")).toEqual([first ?? 0, second ?? 0]);
  });
});
