// Workers that exit between rollouts: restarted with respawn; without it crank exits with the last of them.
import { describe, expect, test } from "bun:test";
import { findWorker } from "../../../src/core/model/workers.ts";
import { startDelay } from "../../../src/core/worker/backoff.ts";
import { EXIT_0, EXIT_1, eventsOf, exitStatus, KILLED, Service, signals, started } from "../service.ts";

describe("the delay before a start", () => {
  test("grows by half with each exit before readiness, up to thirty seconds", () => {
    expect([0, 1, 2, 3].map((deaths) => startDelay(1000, deaths))).toEqual([1000, 1500, 2250, 3375]);
    expect(startDelay(1000, 9)).toBe(30_000);
    expect(startDelay(1000, 1_000_000)).toBe(30_000);
    expect([0, 1, 2].map((deaths) => startDelay(0, deaths))).toEqual([0, 150, 225]);
  });
});

describe("with respawn", () => {
  test("a worker that had run for some time is restarted at once", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    service.deploy();
    service.now += 5000;
    expect(started(service.exited(1, EXIT_1))).toEqual([2]);
    expect(service.state.service.restarts).toBe(1);
  });

  test("a worker that exits right after its start is restarted after the rest of the interval", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    service.deploy();
    service.now += 400;
    expect(started(service.exited(1, EXIT_1))).toEqual([]);
    expect(eventsOf(service.effects)).toContainEqual({ kind: "respawnScheduled", inMs: 600 });
    expect(started(service.pass(599))).toEqual([]);
    expect(started(service.pass(1))).toEqual([2]);
  });

  test("a worker that exits between ready and available keeps the growing delay", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    service.run({ minReadyMs: 500 });
    service.spawned(1);
    service.ready(1);
    service.pass(500);
    service.recorded();
    service.now += 5000;
    service.exited(1, EXIT_1);
    for (const inMs of [1500, 2250, 3375]) {
      const [id = 0] = service.ids("starting");
      service.spawned(id);
      service.ready(id);
      service.exited(id, EXIT_1);
      expect(eventsOf(service.effects)).toContainEqual({ kind: "respawnScheduled", inMs });
      service.pass(inMs);
    }
    const [id = 0] = service.ids("starting");
    service.spawned(id);
    service.ready(id);
    expect(service.state.service.deaths).toBe(3);
    service.pass(500);
    expect(service.state.service.deaths).toBe(0);
  });

  test("exits before readiness extend the delay, and a ready worker resets it", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    service.deploy();
    service.now += 5000;
    service.exited(1, EXIT_1);
    service.spawnFailed(2);
    expect(eventsOf(service.effects)).toContainEqual({ kind: "respawnScheduled", inMs: 1500 });
    expect(started(service.pass(1500))).toEqual([3]);
    service.spawned(3);
    service.exited(3, EXIT_0);
    expect(eventsOf(service.effects)).toContainEqual({ kind: "respawnScheduled", inMs: 2250 });
    expect(started(service.pass(2250))).toEqual([4]);
    service.spawned(4);
    service.ready(4);
    expect(service.state.service.deaths).toBe(0);
    service.exited(4, EXIT_1);
    expect(eventsOf(service.effects)).toContainEqual({ kind: "respawnScheduled", inMs: 1000 });
  });

  test("a worker that is not ready in time is killed and replaced", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    service.deploy();
    service.now += 5000;
    service.exited(1, EXIT_1);
    service.spawned(2);
    const effects = service.pass(30_000);
    expect(signals(effects)).toEqual(["2 SIGKILL tree"]);
    expect(started(effects)).toEqual([3]);
    expect(eventsOf(service.exited(2, KILLED, "last words"))).toContainEqual({
      kind: "workerFailed",
      worker: 2,
      generation: 1,
      pid: 102,
      failure: { kind: "timeout", afterMs: 30_000, tail: "last words" },
      attemptsLeft: 0,
    });
  });

  test("a service without a surge starts the replacement when the killed worker has exited", () => {
    const service = new Service({ respawn: { baseMs: 0 } });
    service.deploy({ surge: 0, unavailable: 1 });
    service.exited(1, EXIT_1);
    service.spawned(2);
    expect(started(service.pass(30_000))).toEqual([]);
    expect(started(service.exited(2, KILLED))).toEqual([3]);
  });

  test("a whole pool that dies is restarted", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    service.deploy({ instances: 3 });
    service.now += 5000;
    for (const id of service.ids("ready")) service.exited(id, KILLED);
    expect(service.ids("starting")).toHaveLength(3);
  });

  test("a deploy does not wait for the previous one's backoff", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    service.deploy();
    service.exited(1, EXIT_1);
    expect(service.ids("starting")).toEqual([]);
    service.run();
    expect(started(service.effects)).toEqual([2]);
  });

  test("crank stays when no worker is left", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    service.deploy();
    expect(exitStatus(service.exited(1, EXIT_1))).toBeUndefined();
  });

  test("a new worker gets the lowest free index", () => {
    const service = new Service({ respawn: { baseMs: 0 } });
    service.deploy({ instances: 3 });
    service.exited(2, EXIT_1);
    expect(findWorker(service.state.workers, 4)?.index).toBe(1);
  });
});

describe("with respawn for pools", () => {
  test("a pool replaces a lost worker", () => {
    const service = new Service({ respawn: { baseMs: 1000, pools: true } });
    service.deploy({ instances: 2 });
    service.now += 5000;
    expect(started(service.exited(1, EXIT_1))).toEqual([3]);
  });

  test("a single worker that exits ends crank", () => {
    const service = new Service({ respawn: { baseMs: 1000, pools: true } });
    service.deploy();
    expect(exitStatus(service.exited(1, EXIT_1))).toBe(1);
  });

  test("a single worker that was scaled to a pool is restarted", () => {
    const service = new Service({ respawn: { baseMs: 1000, pools: true } });
    service.deploy();
    service.scale({ to: 2 });
    service.bringUp();
    service.now += 5000;
    expect(started(service.exited(1, EXIT_1))).toEqual([3]);
  });

  test("a pool that was scaled to a single worker ends with it", () => {
    const service = new Service({ respawn: { baseMs: 1000, pools: true } });
    service.deploy({ instances: 2 });
    service.scale({ to: 1 });
    for (const id of service.ids("stopping")) service.exited(id);
    const [id = 0] = service.ids("ready");
    expect(exitStatus(service.exited(id, EXIT_1))).toBe(1);
  });
});

describe("without respawn crank exits after the last worker", () => {
  test("with status 0 after a clean end", () => {
    const service = new Service();
    service.deploy({ instances: 2 });
    expect(exitStatus(service.exited(1, EXIT_1))).toBeUndefined();
    expect(exitStatus(service.exited(2, EXIT_0))).toBe(0);
  });

  test("with status 1 after a failure", () => {
    const service = new Service();
    service.deploy();
    expect(exitStatus(service.exited(1, EXIT_1))).toBe(1);
  });

  test("with status 1 after a signal that crank did not send", () => {
    const service = new Service();
    service.deploy();
    expect(exitStatus(service.exited(1, { kind: "signal", signal: "SIGSEGV", core: true }))).toBe(1);
  });

  test("with status 1 after an unknown ending", () => {
    const service = new Service();
    service.deploy();
    expect(exitStatus(service.exited(1, { kind: "unknown" }))).toBe(1);
  });

  test("but waits for draining workers, whose exit status does not count", () => {
    const service = new Service();
    service.deploy();
    service.run();
    service.spawned(2);
    service.ready(2);
    service.recorded();
    expect(exitStatus(service.exited(2, EXIT_1))).toBeUndefined();
    expect(exitStatus(service.exited(1, EXIT_0))).toBe(1);
  });

  test("but not during a deploy, which continues", () => {
    const service = new Service();
    service.deploy();
    service.run();
    expect(exitStatus(service.exited(1, EXIT_0))).toBeUndefined();
    service.spawned(2);
    service.ready(2);
    service.recorded();
    expect(service.state.service.current).toBe(2);
  });

  test("with status 1 when a deploy has failed", () => {
    const service = new Service();
    service.deploy();
    service.run({ instances: 1 });
    service.exited(1, EXIT_0);
    // The rollback restarts the old worker; only when that fails too, no worker is left.
    expect(started(service.spawnFailed(2))).toEqual([3]);
    expect(exitStatus(service.spawnFailed(3))).toBe(1);
  });

  test("but not before the record is written", () => {
    const service = new Service();
    service.run();
    service.spawned(1);
    service.ready(1);
    expect(exitStatus(service.exited(1, EXIT_0))).toBeUndefined();
    expect(exitStatus(service.recorded())).toBe(0);
  });

  test("only once", () => {
    const service = new Service();
    service.deploy();
    expect(exitStatus(service.exited(1))).toBe(0);
    expect(service.pass(60_000)).toEqual([]);
    expect(service.exited(1)).toEqual([]);
  });

  test("but waits for its first deploy", () => {
    const service = new Service();
    expect(service.send({ kind: "tick", now: service.now })).toEqual([]);
  });
});
