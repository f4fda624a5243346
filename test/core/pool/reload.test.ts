// Reloads: a deploy of the current run, at once or after the rollout in progress.
import { describe, expect, test } from "bun:test";
import { EXIT_1, Service, started } from "../service.ts";

describe("a reload", () => {
  test("deploys the current run again, with the number of workers that it was scaled to", () => {
    const service = new Service();
    service.deploy({ instances: 1, surge: 3 });
    service.scale({ to: 2 });
    expect(started(service.reload())).toHaveLength(2);
    expect(service.state.service.rollout).toMatchObject({ generation: 2, origin: "crank" });
  });

  test("during a rollout waits for its end, and deploys its result", () => {
    const service = new Service();
    service.deploy();
    service.run({ command: ["new"] });
    expect(started(service.reload())).toEqual([]);
    service.spawned(2);
    service.ready(2);
    expect(started(service.recorded())).toEqual([3]);
    expect(service.state.generations[3]?.spec.command).toEqual(["new"]);
  });

  test("runs once, however many were requested meanwhile", () => {
    const service = new Service();
    service.deploy();
    for (let time = 0; time < 5; time++) service.reload();
    for (const worker of [2, 3]) {
      service.spawned(worker);
      service.ready(worker);
      service.recorded();
      service.pass(0);
    }
    expect(service.state.service).toMatchObject({ rollout: null, queuedReload: null, current: 3 });
  });

  test("that waits for a failing rollout deploys the previous generation", () => {
    const service = new Service();
    service.deploy({ command: ["old"] });
    service.run({ command: ["broken"] });
    service.reload();
    service.spawned(2);
    service.exited(2, EXIT_1);
    expect(started(service.pass(0))).toEqual([3]);
    expect(service.state.generations[3]?.spec.command).toEqual(["old"]);
  });

  test("does nothing when nothing runs, and during a shutdown", () => {
    const service = new Service();
    expect(started(service.reload())).toEqual([]);
    service.deploy();
    service.shutdown();
    expect(started(service.reload())).toEqual([]);
    expect(service.state.service.queuedReload).toBeNull();
  });
});
