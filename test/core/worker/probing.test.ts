// Readiness by probes: when they are sent, and what they prove.
import { describe, expect, test } from "bun:test";
import { findWorker } from "../../../src/core/model/workers.ts";
import { EXIT_1, PROBED, Service, signals } from "../service.ts";

const probes = (service: Service) =>
  service.effects.flatMap((effect) => (effect.kind === "probe" ? [`${effect.worker}: ${effect.probe}`] : []));

/** A service with one running worker whose first probe has been sent. */
const begun = (): Service => {
  const service = new Service();
  service.run({ readiness: PROBED });
  service.spawned(1);
  return service;
};

const stateOf = (service: Service, worker: number): string | undefined =>
  findWorker(service.state.workers, worker)?.kind;

describe("a worker that is probed", () => {
  test("gets its first probe when its process runs", () => {
    const service = new Service();
    service.run({ readiness: PROBED });
    expect(probes(service)).toEqual([]);
    service.spawned(1);
    expect(probes(service)).toEqual(["1: 1"]);
  });

  test("is ready after the configured number of good answers in a row", () => {
    const service = begun();
    service.probed(1, 1, true);
    expect(stateOf(service, 1)).toBe("starting");
    service.pass(20);
    expect(probes(service)).toEqual(["1: 2"]);
    service.probed(1, 2, true);
    expect(stateOf(service, 1)).toBe("ready");
  });

  test("counts from zero after a bad answer", () => {
    const service = begun();
    for (const [probe, ok] of [true, false, true].entries()) {
      service.probed(1, probe + 1, ok);
      service.pass(20);
    }
    expect(stateOf(service, 1)).toBe("starting");
    service.probed(1, 4, true);
    expect(stateOf(service, 1)).toBe("ready");
  });

  test("has one probe at a time, whose answer counts once", () => {
    const service = begun();
    service.pass(1000);
    expect(probes(service)).toEqual([]);
    service.probed(1, 1, true);
    service.probed(1, 1, true);
    expect(stateOf(service, 1)).toBe("starting");
  });

  test("is not ready by its own READY=1", () => {
    const service = begun();
    service.ready(1);
    expect(stateOf(service, 1)).toBe("starting");
  });

  test("that does not pass in time fails its start with the last probe's result", () => {
    const service = begun();
    const request = [...(service.state.service.rollout?.requests ?? [])];
    service.probed(1, 1, false, "answered with the status 503");
    service.pass(30_000);
    expect(signals(service.effects)).toContain("1 SIGKILL tree");
    expect(service.state.service.rollout?.rollingBack?.failure).toMatchObject({
      kind: "timeout",
      probe: "answered with the status 503",
    });
    expect(request).toHaveLength(1);
  });

  test("whose good answer comes after its stop signal continues to stop", () => {
    const service = begun();
    service.shutdown();
    service.probed(1, 1, true);
    expect(stateOf(service, 1)).toBe("stopping");
  });

  test("that exits is no longer probed", () => {
    const service = begun();
    service.probed(1, 1, false);
    service.exited(1, EXIT_1);
    service.pass(1000);
    expect(probes(service)).toEqual([]);
  });
});
