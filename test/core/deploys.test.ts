// Several deploys at a time: which is refused, and which supersedes another.
import { describe, expect, test } from "bun:test";
import { outcomeOf, Service, signals, started } from "./service.ts";

describe("a deploy is refused", () => {
  test("while another one is in progress", () => {
    const service = new Service();
    service.run();
    service.run();
    expect(service.effects).toEqual([
      { kind: "answer", request: 2, outcome: { kind: "refused", refusal: { kind: "rolloutInFlight" } } },
    ]);
  });

  test("until the previous one is recorded", () => {
    const service = new Service();
    service.run();
    service.spawned(1);
    service.ready(1);
    const request = service.run();
    expect(outcomeOf(service.effects, request)).toMatchObject({ refusal: { kind: "rolloutInFlight" } });
  });

  test("when the expected pid is not that of a ready worker", () => {
    const service = new Service();
    service.deploy();
    const request = service.run({}, { expectPid: 7 });
    expect(outcomeOf(service.effects, request)).toEqual({
      kind: "refused",
      refusal: { kind: "wrongPid", passed: 7, current: 101 },
    });
    service.run({}, { expectPid: 101 });
    expect(started(service.effects)).toEqual([2]);
  });

  test("but not for a wrong pid when no worker is ready", () => {
    const service = new Service();
    service.run({}, { expectPid: 7 });
    expect(started(service.effects)).toEqual([1]);
  });

  test("silently if crank itself requested it", () => {
    const service = new Service();
    service.run();
    service.run({}, { request: null });
    expect(service.effects).toEqual([]);
  });
});

describe("a deploy that supersedes another", () => {
  test("stops the other's workers, answers it, and continues at once", () => {
    const service = new Service();
    service.deploy();
    const first = service.run();
    service.spawned(2);
    service.run({}, { supersede: true });
    expect(outcomeOf(service.effects, first)).toMatchObject({ kind: "rolledBack", failure: { kind: "superseded" } });
    expect(signals(service.effects)).toEqual(["2 SIGTERM"]);
    expect(started(service.effects)).toEqual([3]);
    expect(service.ids("ready")).toEqual([1]);
  });

  test("keeps the other's available workers until its own replace them", () => {
    const service = new Service();
    service.deploy({ instances: 2 });
    service.run({ instances: 2 });
    service.spawned(3);
    expect(signals(service.ready(3))).toEqual(["1 SIGTERM"]);
    service.run({ instances: 2 }, { supersede: true });
    expect(service.ids("ready")).toEqual([2, 3]);
    const [fifth] = service.ids("starting").slice(-1);
    service.spawned(fifth ?? 0);
    expect(signals(service.ready(fifth ?? 0))).toEqual(["3 SIGTERM"]);
  });

  test("waits for the other's record before it starts", () => {
    const service = new Service();
    const first = service.run();
    service.spawned(1);
    service.ready(1);
    const second = service.run({}, { supersede: true });
    service.spawned(2);
    expect(service.ready(2)).not.toContainEqual({ kind: "record" });
    const effects = service.recorded();
    expect(outcomeOf(effects, first)).toMatchObject({ kind: "deployed", generation: 1 });
    expect(effects).toContainEqual({ kind: "record" });
    expect(outcomeOf(service.recorded(), second)).toMatchObject({ kind: "deployed", generation: 2, pids: [102] });
  });

  test("needs no flag when the other has failed and is rolling back", () => {
    const service = new Service();
    service.deploy({ instances: 2, surge: 0, unavailable: 1 });
    service.run({ instances: 2, surge: 0, unavailable: 1 });
    service.exited(1);
    expect(service.ids("starting")).toEqual([3]);
    service.spawned(3);
    service.ready(3);
    service.exited(2);
    service.spawnFailed(4);
    expect(service.state.service.rollout?.rollingBack?.told).toBe(true);
    service.run({ instances: 2 });
    expect(service.state.service.rollout?.rollingBack).toBeNull();
  });
});
