// How workers are told to go: which signal, when, and to whom.
import { describe, expect, test } from "bun:test";
import type { Spec } from "../../src/core/spec.ts";
import { EXIT_0, notes, Service, signals } from "./service.ts";

const LADDER: Partial<Spec> = {
  stopSteps: [
    { signal: "SIGUSR2", afterMs: 0 },
    { signal: "SIGTERM", afterMs: 3000 },
    { signal: "SIGKILL", afterMs: 6000 },
  ],
};

/** Worker 1 of a deployed service has just been told to go. */
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
  test("takes each step at its time from the beginning of the stop", () => {
    const service = draining(LADDER);
    expect(signals(service.pass(2999))).toEqual([]);
    expect(signals(service.pass(1))).toEqual(["1 SIGTERM"]);
    expect(signals(service.pass(2999))).toEqual([]);
    expect(signals(service.pass(1))).toEqual(["1 SIGKILL tree"]);
    expect(signals(service.pass(600_000))).toEqual([]);
  });

  test("sends only the last step to the group", () => {
    const service = draining();
    expect(signals(service.pass(30_000))).toEqual(["1 SIGKILL tree"]);
  });

  test("sends nothing to the group where the kill mode is process", () => {
    const service = draining({ killMode: "process" });
    expect(signals(service.pass(30_000))).toEqual(["1 SIGKILL"]);
  });

  test("sends an only step to the process: it is the first, not the last resort", () => {
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

  test("takes the steps one by one even if nobody was there when they were due", () => {
    const service = draining(LADDER);
    service.now += 60_000;
    expect(signals(service.send({ kind: "tick", now: service.now }))).toEqual(["1 SIGTERM"]);
    expect(signals(service.pass(2999))).toEqual([]);
    expect(signals(service.pass(1))).toEqual(["1 SIGKILL tree"]);
  });

  test("takes steps of the same moment together", () => {
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

  test("ends when the worker is gone", () => {
    const service = draining(LADDER);
    const effects = service.exited(1, EXIT_0);
    expect(notes(effects)).toEqual([
      { kind: "workerGone", worker: 1, generation: 1, pid: 101, ending: EXIT_0, expected: true },
    ]);
    expect(signals(service.pass(60_000))).toEqual([]);
  });

  test("is not undone by a readiness that comes late", () => {
    const service = new Service();
    service.deploy();
    service.run({}, {});
    service.spawned(2);
    service.run({}, { supersede: true });
    const { state } = service;
    service.ready(2);
    expect(service.state).toBe(state);
  });

  test("goes on when the process that is to go turns out to have been started only now", () => {
    const service = new Service();
    service.run();
    service.shutdown();
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
    service.spawned(1);
    expect(signals(service.pass(30_000))).toEqual(["1 SIGKILL tree"]);
  });
});
