// What the service manager gets: the line for `systemctl status`, and how long a phase may take.
import { describe, expect, test } from "bun:test";
import { phaseMayLastUntil, statusLine } from "../../src/core/service-status.ts";
import { EXIT_1, Service } from "../core/service.ts";

const YEAR = 365 * 24 * 3600 * 1000;
const line = (service: Service): string => statusLine(service.state, null);
const until = (service: Service): number | null => phaseMayLastUntil(service.state);

describe("the status line", () => {
  test("describes a service from its first deploy to its end", () => {
    const service = new Service();
    expect(line(service)).toBe("Waiting for a first deploy (crankctl run)");
    service.run({ instances: 2 });
    expect(line(service)).toBe("Starting; rolling out generation 1, 0 of 2 ready");
    service.bringUp();
    service.recorded();
    expect(line(service)).toBe("Generation 1: 2 of 2 workers ready");
    service.run({ instances: 2 });
    service.spawned(3);
    service.ready(3);
    expect(line(service)).toBe(
      "Generation 1: 1 of 2 workers ready, 1 draining; rolling out generation 2, 1 of 2 ready",
    );
    service.shutdown();
    expect(line(service)).toBe("Shutting down, 4 workers left");
  });

  test("says what a rollout waits for", () => {
    const service = new Service();
    service.deploy({ instances: 2 });
    service.run({ instances: 2, pauseMs: 5000 });
    service.spawned(3);
    service.ready(3);
    expect(line(service)).toEndWith("rolling out generation 2, 1 of 2 ready, pausing");
    service.run({ instances: 2, maxDraining: 1 }, { supersede: true });
    expect(line(service)).toEndWith("rolling out generation 3, 0 of 2 ready, waiting for a drain to end");
  });

  test("reports a rollback and the last failure", () => {
    const service = new Service();
    service.deploy();
    service.run({ instances: 2 });
    service.spawned(2);
    service.exited(2, EXIT_1);
    expect(line(service)).toContain("Generation 1: 1 of 1 worker ready");
    expect(statusLine(service.state, "it broke")).toEndWith("; last failure: it broke");
  });
});

describe("a phase may take", () => {
  test("as long as the start timeout, after the last start", () => {
    const service = new Service();
    expect(until(service)).toBeNull();
    service.run({ instances: 2, startTimeoutMs: 5000, minReadyMs: 100 });
    expect(until(service)).toBe(service.now + 5200);
    const before = until(service);
    service.pass(1000);
    expect(until(service)).toBe(before);
    service.spawned(1);
    service.ready(1);
    expect(until(service)).toBe(service.now + 5200);
    service.bringUp();
    service.pass(100);
    service.recorded();
    expect(until(service)).toBeNull();
  });

  test("as long as a pause and the next start, or the drains that a rollout waits for", () => {
    const service = new Service();
    service.deploy({ instances: 2 });
    service.run({ instances: 2, pauseMs: 500_000, startTimeoutMs: 5000 });
    service.spawned(3);
    service.ready(3);
    expect(until(service)).toBe(service.now + 505_000);
    service.run({ instances: 2, maxDraining: 1, startTimeoutMs: 5000 }, { supersede: true });
    expect(until(service)).toBe(service.now + 35_000);
  });

  test("a year when a worker's start or stop has no limit", () => {
    const service = new Service();
    service.run({ startTimeoutMs: null });
    expect(until(service)).toBe(service.now + YEAR);
    service.bringUp();
    service.recorded();
    service.run({ stopSteps: [{ signal: "SIGTERM", afterMs: 0 }] });
    service.bringUp();
    service.recorded();
    service.shutdown();
    expect(until(service)).toBe(service.now + YEAR);
  });

  test("as long as the slowest worker's stop", () => {
    const service = new Service();
    service.deploy({ instances: 2 });
    service.shutdown();
    expect(until(service)).toBe(service.now + 30_000);
    service.exited(1);
    service.exited(2);
    expect(until(service)).toBeNull();
  });
});
