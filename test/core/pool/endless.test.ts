// Services with einhorn's policy: workers may fail without limit, are started at a pace, and are replaced as a fleet.
import { expect, test } from "bun:test";
import { nextDeadline } from "../../../src/core/deadline.ts";
import { CRANK_POLICY, type Policy } from "../../../src/core/model/state.ts";
import { allWorkers } from "../../../src/core/model/workers.ts";
import { EXIT_1, Service } from "../service.ts";

const POLICY: Policy = { ...CRANK_POLICY, restores: false, attempts: "endless", pace: { maxUnready: 2 } };

const fleet = (spec: { readonly instances: number; readonly surge?: number }): Service => {
  const service = new Service({ manner: POLICY, respawn: { baseMs: 100 } });
  service.run({ surge: 100, startTimeoutMs: null, ...spec }, { order: "fleet", request: null });
  return service;
};

const alive = (service: Service): number =>
  allWorkers(service.state.workers).filter((worker) => worker.kind !== "stopping").length;

const makeReady = (service: Service, ...workers: readonly number[]): void => {
  for (const worker of workers) {
    service.spawned(worker);
    service.send({ kind: "workerReady", now: service.now, at: service.now, worker });
  }
  service.send({ kind: "recorded", now: service.now, error: null });
};

const pass = (service: Service, ms: number): void => {
  service.now += ms;
  service.send({ kind: "tick", now: service.now });
};

test("the first fleet starts at once, whatever the pace", () => {
  expect(alive(fleet({ instances: 5 }))).toBe(5);
});

test("in a one by one rollout, starts keep their interval and the limit on workers that are not ready", () => {
  const service = fleet({ instances: 4 });
  makeReady(service, 1, 2, 3, 4);
  service.run({ instances: 4, surge: 100, startTimeoutMs: null }, { request: null });
  expect(alive(service)).toBe(5);
  pass(service, 99);
  expect(alive(service)).toBe(5);
  pass(service, 1);
  expect(alive(service)).toBe(6);
  pass(service, 1000);
  expect(alive(service)).toBe(6);
});

test("a fleet's old workers stay until all new ones are ready, and then stop together", () => {
  const service = fleet({ instances: 3 });
  makeReady(service, 1, 2, 3);
  service.run({ instances: 3, surge: 1, startTimeoutMs: null }, { request: null, order: "fleet" });
  expect(alive(service)).toBe(6);
  makeReady(service, 4, 5);
  expect(alive(service)).toBe(6);
  makeReady(service, 6);
  expect(alive(service)).toBe(3);
});

test("without a start interval, starts after a failure still back off", () => {
  const service = new Service({ manner: POLICY, respawn: { baseMs: 0 } });
  service.run({ surge: 100, startTimeoutMs: null, instances: 1 }, { order: "fleet", request: null });
  const pauses: number[] = [];
  for (let worker = 1; worker <= 20; worker++) {
    service.spawned(worker);
    service.exited(worker, EXIT_1);
    const due = nextDeadline(service.state) ?? Number.NaN;
    pauses.push(due - service.now);
    pass(service, due - service.now);
    expect(alive(service)).toBe(1);
  }
  expect(pauses.slice(0, 3)).toEqual([150, 225, 337.5]);
  expect(pauses.at(-1)).toBe(30_000);
});

test("failed workers are replaced with growing delays, and the rollout continues", () => {
  const service = fleet({ instances: 1 });
  for (let worker = 1; worker <= 20; worker++) {
    service.spawned(worker);
    service.send({ kind: "workerExited", now: service.now, at: service.now, worker, ending: EXIT_1, tail: "" });
    expect(alive(service)).toBe(0);
    pass(service, 30_000);
    expect(alive(service)).toBe(1);
  }
  expect(service.state.service.deaths).toBe(20);
  makeReady(service, 21);
  expect(service.state.service.current).toBe(1);
});
