// Services whose workers hand over: they do not overlap, and a worker that stops may ask whether it has a successor.
import { expect, test } from "bun:test";
import { findWorker } from "../../src/core/model/workers.ts";
import { willStart } from "../../src/core/pool/pool.ts";
import { EXIT_0, EXIT_1, Service, signals, started } from "./service.ts";

const HAND_OVER = { handOver: true, surge: 0, unavailable: 1 };

/** Runs the first generation and requests the second. */
const deployedTwice = (instances: number): Service => {
  const service = new Service();
  service.deploy({ ...HAND_OVER, instances });
  service.run({ ...HAND_OVER, instances });
  return service;
};

test("a worker starts when the one that it replaces has exited, which knows that it has a successor", () => {
  const service = deployedTwice(2);
  expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
  expect(started(service.effects)).toEqual([]);
  expect(willStart(service.state)).toBe(true);
  expect(started(service.exited(1, EXIT_0))).toEqual([3]);
  service.spawned(3);
  expect(signals(service.ready(3))).toEqual(["2 SIGTERM"]);
  expect(willStart(service.state)).toBe(true);
  expect(started(service.exited(2, EXIT_0))).toEqual([4]);
  expect(willStart(service.state)).toBe(false);
});

test("an evicted worker has a successor too, although -respawn is off", () => {
  const service = new Service();
  service.deploy(HAND_OVER);
  service.pass(60_000);
  expect(signals(service.evict(1))).toEqual(["1 SIGTERM"]);
  expect(willStart(service.state)).toBe(true);
  expect(started(service.exited(1, EXIT_0))).toEqual([2]);
});

test("after a failure a worker of the previous generation takes over from the failed one", () => {
  const service = deployedTwice(1);
  service.exited(1, EXIT_0);
  service.spawned(2);
  expect(started(service.exited(2, EXIT_1))).toEqual([3]);
  expect(findWorker(service.state.workers, 3)?.generation).toBe(1);
});

test("a worker that is scaled down has no successor, nor has one that exits during a shutdown", () => {
  const service = new Service();
  service.deploy({ ...HAND_OVER, instances: 2 });
  expect(willStart(service.state)).toBe(false);
  service.scale({ to: 1 });
  expect(willStart(service.state)).toBe(false);
  const respawning = new Service({ respawn: { baseMs: 1000 } });
  respawning.deploy(HAND_OVER);
  respawning.exited(1, EXIT_1);
  expect(willStart(respawning.state)).toBe(true);
  respawning.shutdown();
  expect(willStart(respawning.state)).toBe(false);
});
