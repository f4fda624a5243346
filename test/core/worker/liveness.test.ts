// Liveness probes of ready workers: when they are sent, and what their answers lead to.
import { describe, expect, test } from "bun:test";
import { ASKED, eventsOf, Service, signals, started } from "../service.ts";

const probes = (service: Service) =>
  service.effects.flatMap((effect) => (effect.kind === "probe" ? [effect.probe] : []));

/** A service with one ready worker that is probed every second; two bad answers in a row are a failure. */
const asked = (spec: object = {}): Service => {
  const service = new Service();
  service.deploy({ liveness: ASKED, ...spec });
  return service;
};

const answer = (service: Service, verdict: boolean | "unsure"): void => {
  service.pass(1000);
  service.probed(1, probes(service).at(-1) ?? lastProbe(service), verdict);
};
const lastProbe = (service: Service): number => service.state.service.nextProbe - 1;

describe("a ready worker that is probed", () => {
  test("gets its first probe after one interval, and the next one interval after each answer", () => {
    const service = asked();
    service.pass(999);
    expect(probes(service)).toEqual([]);
    service.pass(1);
    expect(probes(service)).toEqual([1]);
    service.pass(5000);
    expect(probes(service)).toEqual([]);
    service.probed(1, 1, true);
    service.pass(1000);
    expect(probes(service)).toEqual([2]);
  });

  test("is replaced after the configured number of bad answers in a row", () => {
    const service = asked();
    for (const verdict of [false, true, false, true] as const) answer(service, verdict);
    expect(started(service.effects)).toEqual([]);
    answer(service, false);
    answer(service, false);
    expect(eventsOf(service.effects)).toContainEqual(
      expect.objectContaining({ kind: "workerDismissed", worker: 1, reason: { kind: "notAlive", detail: "hangs" } }),
    );
    expect(started(service.effects)).toEqual([2]);
    expect(signals(service.effects)).toEqual([]);
  });

  test("ignores an answer that may be another worker's", () => {
    const service = asked();
    for (let times = 0; times < 10; times++) answer(service, "unsure");
    expect(service.ids("ready")).toEqual([1]);
    answer(service, false);
    answer(service, "unsure");
    answer(service, false);
    expect(started(service.effects)).toEqual([2]);
  });

  test("is no longer probed when it is to be replaced or stopped", () => {
    const service = asked();
    answer(service, false);
    answer(service, false);
    service.pass(20_000);
    expect(service.effects.filter((effect) => effect.kind === "probe")).toEqual([]);
    const other = asked();
    other.shutdown();
    other.pass(20_000);
    expect(probes(other)).toEqual([]);
  });

  test("becomes available in time, whatever its probes", () => {
    const service = new Service();
    service.run({ liveness: ASKED, minReadyMs: 3000 });
    service.spawned(1);
    service.ready(1);
    answer(service, true);
    answer(service, true);
    expect(service.state.service.rollout).not.toBeNull();
    service.pass(1000);
    expect(service.state.service.rollout).toBeNull();
  });
});

describe("a watchdog", () => {
  test("runs from readiness on", () => {
    const service = new Service();
    service.run({ liveness: { kind: "watchdog", periodMs: 500 } });
    service.spawned(1);
    expect(service.effects.some((effect) => effect.kind === "watch")).toBe(false);
    service.ready(1);
    expect(service.effects).toContainEqual({ kind: "watch", worker: 1, periodMs: 500 });
  });
});

describe("a worker that stops itself", () => {
  test("is replaced at once with respawn, and has the time of a stop", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    service.deploy();
    service.pass(60_000);
    service.send({ kind: "leaving", now: service.now, worker: 1 });
    expect(started(service.effects)).toEqual([2]);
    expect(signals(service.effects)).toEqual([]);
    expect(signals(service.pass(30_000))).toContain("1 SIGKILL tree");
  });

  test("ends crank with its exit status without respawn", () => {
    const service = new Service();
    service.deploy();
    service.send({ kind: "leaving", now: service.now, worker: 1 });
    service.exited(1, { kind: "exit", code: 3 });
    expect(service.effects).toContainEqual({ kind: "exit", status: 1 });
  });
});

describe("a worker that requests more time", () => {
  test("has it for its start, and never less than before", () => {
    const service = new Service();
    service.run({ startTimeoutMs: 1000 });
    service.spawned(1);
    service.send({ kind: "extended", now: service.now, worker: 1, until: service.now + 5000 });
    service.send({ kind: "extended", now: service.now, worker: 1, until: service.now + 100 });
    service.pass(4999);
    expect(service.ids("starting")).toEqual([1]);
    service.pass(1);
    expect(service.ids("starting")).toEqual([]);
  });

  test("has it for its next stop step", () => {
    const service = new Service();
    service.deploy();
    service.shutdown();
    service.send({ kind: "extended", now: service.now, worker: 1, until: service.now + 40_000 });
    expect(signals(service.pass(39_999))).toEqual([]);
    expect(signals(service.pass(1))).toEqual(["1 SIGKILL tree"]);
  });
});
