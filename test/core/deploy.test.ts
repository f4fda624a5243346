// A deploy of one worker: when workers start and stop, and what is recorded and answered.
import { describe, expect, test } from "bun:test";
import { EXIT_0, EXIT_1, eventsOf, KILLED, outcomeOf, Service, signals, started, WALL } from "./service.ts";
import { SPEC } from "./spec.ts";

describe("a deploy of one worker", () => {
  test("that is the first starts it and answers when it is ready and recorded", () => {
    const service = new Service();
    const request = service.run();
    expect(started(service.effects)).toEqual([1]);
    service.spawned(1);
    const effects = service.ready(1);
    expect(effects).toContainEqual({ kind: "record" });
    expect(outcomeOf(effects, request)).toBeUndefined();
    expect(outcomeOf(service.recorded(), request)).toEqual({
      kind: "deployed",
      generation: 1,
      pids: [101],
      recordError: null,
    });
  });

  test("stops the old one when the new one is ready, and not before", () => {
    const service = new Service();
    service.deploy();
    service.run();
    expect(started(service.effects)).toEqual([2]);
    expect(signals(service.effects)).toEqual([]);
    expect(signals(service.spawned(2))).toEqual([]);
    expect(signals(service.ready(2))).toEqual(["1 SIGTERM"]);
  });

  test("answers while the old one is still draining", () => {
    const service = new Service();
    service.deploy();
    const request = service.run();
    service.spawned(2);
    service.ready(2);
    expect(outcomeOf(service.recorded(), request)?.kind).toBe("deployed");
    expect(service.ids("stopping")).toEqual([1]);
  });

  test("whose record cannot be written stays in place and reports it", () => {
    const service = new Service();
    const request = service.run();
    service.spawned(1);
    service.ready(1);
    const outcome = outcomeOf(service.recorded("disk full"), request);
    expect(outcome).toMatchObject({ kind: "deployed", recordError: "disk full" });
    expect(service.state.service.current).toBe(1);
  });

  test("that exits before it is ready leaves the old one serving and the record as it was", () => {
    const service = new Service();
    service.deploy();
    const { history } = service.state;
    const request = service.run();
    service.spawned(2);
    const effects = service.exited(2, EXIT_1, "no such port\n");
    expect(outcomeOf(effects, request)).toEqual({
      kind: "rolledBack",
      generation: 2,
      worker: 2,
      pid: 102,
      failure: { kind: "exited", ending: EXIT_1, tail: "no such port\n" },
    });
    expect(service.ids("ready")).toEqual([1]);
    expect(service.state.history).toBe(history);
    expect(service.state.service.current).toBe(1);
  });

  test("that exits with status 0 before it is ready fails too", () => {
    const service = new Service();
    service.deploy();
    const request = service.run();
    service.spawned(2);
    expect(outcomeOf(service.exited(2, EXIT_0), request)?.kind).toBe("rolledBack");
  });

  test("that cannot be started reports the step that failed", () => {
    const service = new Service();
    service.deploy();
    const request = service.run();
    expect(outcomeOf(service.spawnFailed(2), request)).toMatchObject({
      failure: { kind: "spawn", step: "exec", errno: 2 },
      pid: null,
    });
  });

  test("that is not ready in time is killed, and the answer has its last lines", () => {
    const service = new Service();
    service.deploy();
    const request = service.run();
    service.spawned(2);
    const effects = service.pass(30_000);
    expect(signals(effects)).toEqual(["2 SIGKILL tree"]);
    expect(outcomeOf(effects, request)).toBeUndefined();
    const outcome = outcomeOf(service.exited(2, KILLED, "waiting for the database\n"), request);
    expect(outcome).toMatchObject({
      kind: "rolledBack",
      pid: 102,
      failure: { kind: "timeout", afterMs: 30_000, tail: "waiting for the database\n" },
    });
    expect(service.state.service.rollout).toBeNull();
  });

  test("uses the time at which readiness was sent, not when it was received", () => {
    const service = new Service();
    service.run({ startTimeoutMs: 1000 });
    service.spawned(1);
    service.now += 5000;
    expect(signals(service.ready(1, service.now - 4500))).toEqual([]);
    expect(service.ids("ready")).toEqual([1]);
  });

  test("fails when readiness was sent too late, even before a tick", () => {
    const service = new Service();
    service.run({ startTimeoutMs: 1000 });
    service.spawned(1);
    service.now += 5000;
    expect(signals(service.ready(1, service.now - 3999))).toEqual(["1 SIGKILL tree"]);
  });

  test("that reports readiness twice is ready once", () => {
    const service = new Service();
    service.run();
    service.spawned(1);
    service.ready(1);
    const { state } = service;
    expect(service.ready(1)).toEqual([]);
    expect(service.state).toBe(state);
  });

  test("must stay ready for minReady before the old one stops", () => {
    const service = new Service();
    service.deploy();
    service.run({ minReadyMs: 500 });
    service.spawned(2);
    expect(signals(service.ready(2))).toEqual([]);
    expect(signals(service.pass(499))).toEqual([]);
    expect(signals(service.pass(1))).toEqual(["1 SIGTERM"]);
  });

  test("that exits within minReady fails", () => {
    const service = new Service();
    service.deploy();
    const request = service.run({ minReadyMs: 500 });
    service.spawned(2);
    service.ready(2);
    expect(outcomeOf(service.exited(2), request)?.kind).toBe("rolledBack");
    expect(service.ids("ready")).toEqual([1]);
  });

  test("that is ready after a delay is not cut short by the start timeout", () => {
    const service = new Service();
    service.run({ readiness: { kind: "delay", afterMs: 3000 }, startTimeoutMs: 1000 });
    service.now += 10;
    service.spawned(1);
    service.pass(2999);
    expect(service.ids("starting")).toEqual([1]);
    service.pass(1);
    expect(service.ids("ready")).toEqual([1]);
  });

  test("is retried as often as its spec says", () => {
    const service = new Service();
    const request = service.run({ retries: 2 });
    expect(started(service.spawnFailed(1))).toEqual([2]);
    service.spawned(2);
    expect(started(service.exited(2, EXIT_1))).toEqual([3]);
    expect(eventsOf(service.effects)).toContainEqual(
      expect.objectContaining({ kind: "workerFailed", attemptsLeft: 0 }),
    );
    expect(outcomeOf(service.spawnFailed(3), request)?.kind).toBe("rolledBack");
  });

  test("fails as a whole when its own deadline passes", () => {
    const service = new Service();
    service.deploy();
    const request = service.run({ rolloutDeadlineMs: 2000, startTimeoutMs: null });
    service.spawned(2);
    const effects = service.pass(2000);
    expect(outcomeOf(effects, request)).toMatchObject({ worker: null, failure: { kind: "deadline", afterMs: 2000 } });
    expect(signals(effects)).toEqual(["2 SIGTERM"]);
  });

  test("is recorded with the wall clock time of its completion", () => {
    const service = new Service();
    service.run();
    service.now += 700;
    service.spawned(1);
    service.ready(1);
    expect(service.state.history).toEqual([{ generation: 1, at: WALL + 700, spec: SPEC }]);
  });

  test("keeps the last ten good specs", () => {
    const service = new Service();
    for (let deploys = 0; deploys < 12; deploys++) service.deploy({ command: [`server${deploys}`] });
    expect(service.state.history.map(({ generation }) => generation)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  test("forgets a generation when its last worker has exited", () => {
    const service = new Service();
    service.deploy();
    service.run();
    service.spawned(2);
    service.ready(2);
    expect(Object.keys(service.state.generations)).toEqual(["1", "2"]);
    service.exited(1);
    expect(Object.keys(service.state.generations)).toEqual(["2"]);
  });
});
