// How workers are stopped: which signals, when, and to which processes.
import { describe, expect, test } from "bun:test";
import type { Spec } from "../../../src/core/model/spec.ts";
import type { Ending } from "../../../src/core/model/worker.ts";
import { EXIT_0, EXIT_1, eventsOf, exitStatus, outcomeOf, Service, signals } from "../service.ts";

const LADDER: Partial<Spec> = {
  stopSteps: [
    { signal: "SIGUSR2", afterMs: 0 },
    { signal: "SIGTERM", afterMs: 3000 },
    { signal: "SIGKILL", afterMs: 6000 },
  ],
};

/** A deployed service whose worker 1 has just got its stop signal. */
const draining = (spec: Partial<Spec> = {}): Service => {
  const service = new Service();
  service.deploy(spec);
  service.run(spec);
  service.spawned(2);
  service.ready(2);
  service.recorded();
  return service;
};

describe("stopping a worker", () => {
  test("takes each step at its time after the start of the stop", () => {
    const service = draining(LADDER);
    expect(signals(service.pass(2999))).toEqual([]);
    expect(signals(service.pass(1))).toEqual(["1 SIGTERM"]);
    expect(signals(service.pass(2999))).toEqual([]);
    expect(signals(service.pass(1))).toEqual(["1 SIGKILL tree"]);
    expect(signals(service.pass(600_000))).toEqual([]);
  });

  test("sends only the last step's signal to the whole tree", () => {
    const service = draining();
    expect(signals(service.pass(30_000))).toEqual(["1 SIGKILL tree"]);
  });

  test("sends signals only to the main process while it lives in kill mode process", () => {
    const service = draining({ killMode: "process" });
    expect(signals(service.pass(30_000))).toEqual(["1 SIGKILL"]);
  });

  test("sends a single step's signal to the main process only", () => {
    const service = new Service();
    service.deploy({ stopSteps: [{ signal: "SIGQUIT", afterMs: 0 }] });
    service.shutdown();
    expect(signals(service.effects)).toEqual(["1 SIGQUIT"]);
  });

  test("never kills a worker whose drain has no limit", () => {
    const service = draining({ stopTimeoutMs: null, stopSteps: [{ signal: "SIGTERM", afterMs: 0 }] });
    expect(signals(service.pass(86_400_000))).toEqual([]);
    expect(service.ids("stopping")).toEqual([1]);
  });

  test("takes overdue steps one at a time after a restart of crank", () => {
    const service = draining(LADDER);
    service.now += 60_000;
    expect(signals(service.send({ kind: "tick", now: service.now }))).toEqual(["1 SIGTERM"]);
    expect(signals(service.pass(2999))).toEqual([]);
    expect(signals(service.pass(1))).toEqual(["1 SIGKILL tree"]);
  });

  test("takes steps of the same time together", () => {
    const service = new Service();
    service.deploy({
      stopSteps: [
        { signal: "SIGCONT", afterMs: 0 },
        { signal: "SIGTERM", afterMs: 0 },
        { signal: "SIGKILL", afterMs: 500 },
      ],
    });
    service.shutdown();
    expect(signals(service.effects)).toEqual(["1 SIGCONT", "1 SIGTERM"]);
  });

  test("ends when the worker has exited", () => {
    const service = draining(LADDER);
    const effects = service.exited(1, EXIT_0);
    expect(eventsOf(effects)).toEqual([
      { kind: "workerGone", worker: 1, generation: 1, pid: 101, ending: EXIT_0, expected: true },
    ]);
    expect(signals(service.pass(60_000))).toEqual([]);
  });

  test("is not undone by a late readiness", () => {
    const service = new Service();
    service.deploy();
    service.run({}, {});
    service.spawned(2);
    service.run({}, { supersede: true });
    const { state } = service;
    service.ready(2);
    expect(service.state).toBe(state);
  });

  test("continues when the process starts after its stop signal", () => {
    const service = new Service();
    service.run();
    service.shutdown();
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
    service.spawned(1);
    expect(signals(service.pass(30_000))).toEqual(["1 SIGKILL tree"]);
  });
});

describe("a worker whose main process has exited before others of its tree", () => {
  const TERMINATED: Ending = { kind: "signal", signal: "SIGTERM", core: false };

  test("stops until they have exited, and they get the remaining signals and time", () => {
    const service = draining(LADDER);
    service.pass(3000);
    expect(signals(service.mainExited(1, TERMINATED, 3))).toEqual(["1 SIGTERM tree"]);
    expect(service.workers("stopping")).toMatchObject([{ id: 1, rest: 3 }]);
    expect(signals(service.pass(2999))).toEqual([]);
    expect(signals(service.pass(1))).toEqual(["1 SIGKILL tree"]);
    expect(eventsOf(service.exited(1, TERMINATED))).toMatchObject([{ kind: "workerGone", expected: true }]);
  });

  test("gets the stop signal as a whole in kill mode process", () => {
    const service = draining({ killMode: "process" });
    expect(signals(service.mainExited(1, EXIT_0))).toEqual(["1 SIGTERM tree"]);
    expect(signals(service.pass(30_000))).toEqual(["1 SIGKILL tree"]);
  });

  test("drains without a limit if the stop has none, until crank gets another stop signal", () => {
    const service = draining({ stopTimeoutMs: null, stopSteps: [{ signal: "SIGUSR2", afterMs: 0 }] });
    expect(signals(service.mainExited(1, EXIT_0))).toEqual(["1 SIGUSR2 tree"]);
    expect(signals(service.pass(86_400_000))).toEqual([]);
    service.shutdown();
    expect(signals(service.effects)).toEqual(["2 SIGUSR2"]);
    service.shutdown();
    expect(signals(service.effects)).toEqual(["1 SIGKILL tree"]);
  });

  test("fails if it was not available yet, and its other processes are killed at once", () => {
    const service = new Service();
    service.deploy();
    const request = service.run();
    service.spawned(2);
    expect(signals(service.mainExited(2, EXIT_0))).toEqual(["2 SIGKILL tree"]);
    // The answer waits for the last lines.
    expect(outcomeOf(service.effects, request)).toBeUndefined();
    expect(service.ids("ready")).toEqual([1]);
    const effects = service.exited(2, EXIT_0, "last words");
    expect(outcomeOf(effects, request)).toMatchObject({
      kind: "rolledBack",
      failure: { kind: "exited", ending: EXIT_0, tail: "last words" },
    });
  });

  test("is lost if it was not stopping: it is replaced, and its other processes are killed", () => {
    const service = new Service({ respawn: { baseMs: 0 } });
    service.deploy();
    const effects = service.mainExited(1, EXIT_1);
    expect(signals(effects)).toEqual(["1 SIGKILL tree"]);
    expect(service.ids("ready")).toEqual([]);
    service.pass(0);
    expect(service.ids("starting")).toEqual([2]);
    expect(eventsOf(service.exited(1, EXIT_1))).toMatchObject([{ kind: "workerGone", expected: false }]);
  });

  test("keeps its place if workers may not overlap", () => {
    const service = new Service({ respawn: { baseMs: 0 } });
    service.deploy({ surge: 0, unavailable: 1 });
    service.mainExited(1, EXIT_1);
    service.pass(0);
    expect(service.ids("starting")).toEqual([]);
    service.exited(1, EXIT_1);
    service.pass(0);
    expect(service.ids("starting")).toEqual([2]);
  });

  test("delays crank's exit until its whole tree has exited", () => {
    const service = new Service();
    service.deploy();
    service.shutdown();
    expect(exitStatus(service.mainExited(1, EXIT_0))).toBeUndefined();
    expect(exitStatus(service.exited(1, EXIT_0))).toBe(0);
  });
});
