// Attempts per worker, in rollouts and between them.
import { describe, expect, test } from "bun:test";
import { CRANK_POLICY } from "../../../src/core/model/state.ts";
import { EXIT_0, EXIT_1, eventsOf, exitStatus, Service, signals, started } from "../service.ts";

const POLICY = {
  ...CRANK_POLICY,
  failureStatus: 0,
  restores: false,
  attempts: "place",
  failSteps: [
    { signal: "SIGTERM", afterMs: 0 },
    { signal: "SIGKILL", afterMs: 3000 },
  ],
  whenEmpty: "end",
} as const;
const service = (): Service => new Service({ respawn: { baseMs: 0 }, manner: POLICY });
const ALL_AT_ONCE = { instances: 3, surge: 1000 };

/** Makes every starting worker ready. */
const allReady = (it: Service): void => {
  for (const { id } of it.workers("starting")) {
    it.spawned(id);
    it.ready(id);
  }
};

describe("a worker that fails before it is ready", () => {
  test("is retried at once until it has no attempt left", () => {
    const it = service();
    it.deploy({ instances: 2, retries: 2 });
    it.exited(1, EXIT_1);
    expect(started(it.effects)).toEqual([3]);
    it.exited(3, EXIT_1);
    expect(started(it.effects)).toEqual([4]);
    it.exited(4, EXIT_0);
    expect(started(it.effects)).toEqual([5]);
    it.exited(5, EXIT_1);
    expect(started(it.effects)).toEqual([]);
    expect(eventsOf(it.effects)).toContainEqual({ kind: "placeGivenUp", worker: 5, generation: 1, left: 1 });
    expect(it.ids("ready")).toEqual([2]);
  });

  test("has its own attempts, independent of the others'", () => {
    const it = service();
    it.run({ instances: 3, retries: 1 });
    for (const id of [1, 2, 3]) it.exited(id, EXIT_1);
    expect(it.ids("starting")).toEqual([4, 5, 6]);
    allReady(it);
    expect(it.state.service.current).toBe(1);
  });

  test("at the first start leaves the others running, and crank exits after the last", () => {
    const it = service();
    it.run({ instances: 2 }, { request: null });
    it.exited(1, EXIT_1);
    expect(it.state.generations[1]?.instances).toBe(1);
    it.exited(2, EXIT_1);
    expect(exitStatus(it.effects)).toBe(0);
  });

  test("because it is late is stopped step by step during the next attempt", () => {
    const it = service();
    it.run({ retries: 1, startTimeoutMs: 3000 });
    it.spawned(1);
    const late = it.pass(3000);
    expect([signals(late), started(late)]).toEqual([["1 SIGTERM"], [2]]);
    it.spawned(2);
    it.ready(2);
    expect(signals(it.pass(3000))).toEqual(["1 SIGKILL tree"]);
  });

  test("as a replacement of the last worker ends crank", () => {
    const it = service();
    it.deploy();
    it.exited(1, EXIT_0);
    expect(started(it.effects)).toEqual([2]);
    it.exited(2, EXIT_1);
    expect(exitStatus(it.effects)).toBe(0);
  });
});

describe("a reload", () => {
  test("gives every worker a successor at once, and each ready one releases one", () => {
    const it = service();
    it.deploy(ALL_AT_ONCE);
    it.reload();
    expect(started(it.effects)).toEqual([4, 5, 6]);
    it.spawned(5);
    it.ready(5);
    expect(signals(it.effects)).toEqual(["1 SIGTERM"]);
    it.spawned(4);
    it.ready(4);
    expect(signals(it.effects)).toEqual(["2 SIGTERM"]);
  });

  test("whose successor runs out of attempts keeps the healthy successors and the old workers that were not released", () => {
    const it = service();
    it.deploy(ALL_AT_ONCE);
    it.reload();
    it.spawned(4);
    it.ready(4);
    it.exited(5, EXIT_1);
    expect(started(it.effects)).toEqual([]);
    expect(signals(it.effects)).toEqual(["6 SIGTERM"]);
    it.exited(6);
    it.exited(1);
    expect(it.ids("ready")).toEqual([2, 3, 4]);
    expect(started(it.pass(60_000))).toEqual([]);
    it.exited(4, EXIT_1);
    expect(started(it.effects)).toEqual([7]);
    it.spawned(7);
    it.ready(7);
    it.reload();
    expect(started(it.effects)).toHaveLength(3);
  });

  test("remembers which worker a second attempt is to release", () => {
    const it = service();
    it.deploy({ surge: 1000, retries: 1 });
    it.reload();
    it.exited(2, EXIT_1);
    it.spawned(3);
    it.ready(3);
    expect(signals(it.effects)).toEqual(["1 SIGTERM"]);
  });
});

describe("scaling", () => {
  test("in a rollout continues with the new number", () => {
    const it = service();
    it.deploy(ALL_AT_ONCE);
    it.reload();
    it.scale({ by: 1 }, "apply");
    expect(started(it.effects)).toEqual([7]);
    it.scale({ to: 1 }, "apply");
    expect(signals(it.effects)).toHaveLength(5);
    allReady(it);
    expect([it.ids("ready").length, it.state.service.current]).toEqual([1, 2]);
  });

  test("down in a rollout that then fails leaves no more workers than wanted", () => {
    const it = service();
    it.deploy(ALL_AT_ONCE);
    it.reload();
    it.scale({ to: 2 }, "apply");
    for (const { id } of it.workers("starting")) it.exited(id, EXIT_1);
    expect(it.ids("ready")).toHaveLength(2);
  });

  test("to zero ends crank with its last worker", () => {
    const it = service();
    it.deploy();
    it.scale({ by: -1 });
    expect(exitStatus(it.effects)).toBeUndefined();
    it.exited(1);
    expect(exitStatus(it.effects)).toBe(0);
  });
});
