// A shutdown: every worker is stopped, every client is answered, and then crank exits.
import { describe, expect, test } from "bun:test";
import { EXIT_1, exitStatus, KILLED, outcomeOf, Service, signals, started } from "./service.ts";

describe("a shutdown", () => {
  test("closes the sockets and stops every worker, including starting ones", () => {
    const service = new Service();
    service.deploy({ instances: 2 });
    service.scale({ to: 3 });
    service.shutdown();
    expect(service.effects).toContainEqual({ kind: "closeSockets" });
    expect(signals(service.effects)).toEqual(["1 SIGTERM", "2 SIGTERM", "3 SIGTERM"]);
  });

  test("is answered when the last worker has exited, and ends crank with status 0", () => {
    const service = new Service({ respawn: { baseMs: 0 } });
    service.deploy({ instances: 2 });
    const request = service.shutdown();
    expect(exitStatus(service.exited(1, EXIT_1))).toBeUndefined();
    const effects = service.exited(2, EXIT_1);
    expect(started(effects)).toEqual([]);
    expect(outcomeOf(effects, request)).toEqual({ kind: "shutDown" });
    expect(effects.at(-1)).toEqual({ kind: "exit", status: 0 });
  });

  test("without workers ends at once", () => {
    const service = new Service();
    const request = service.shutdown();
    expect(outcomeOf(service.effects, request)).toEqual({ kind: "shutDown" });
    expect(exitStatus(service.effects)).toBe(0);
  });

  test("requested again takes the next stop step early", () => {
    const service = new Service();
    service.deploy();
    const first = service.shutdown();
    service.now += 10;
    const second = service.shutdown();
    expect(signals(service.effects)).toEqual(["1 SIGKILL tree"]);
    service.shutdown();
    expect(signals(service.effects)).toEqual([]);
    const effects = service.exited(1, KILLED);
    expect(outcomeOf(effects, first)).toEqual({ kind: "shutDown" });
    expect(outcomeOf(effects, second)).toEqual({ kind: "shutDown" });
  });

  test("with its own stop steps restarts the stop of all workers, including draining ones", () => {
    const service = new Service();
    service.deploy({ instances: 2 });
    service.scale({ to: 1 });
    const steps = [
      { signal: "SIGUSR2", afterMs: 0 },
      { signal: "SIGTERM", afterMs: 3000 },
    ];
    service.shutdown(steps);
    expect(signals(service.effects)).toEqual(["1 SIGUSR2", "2 SIGUSR2"]);
    expect(signals(service.pass(3000))).toEqual(["1 SIGTERM tree", "2 SIGTERM tree"]);
    service.shutdown([{ signal: "SIGINT", afterMs: 0 }]);
    expect(signals(service.effects)).toEqual(["1 SIGINT", "2 SIGINT"]);
  });

  test("does not change the stop of draining workers", () => {
    const service = new Service();
    service.deploy();
    service.run();
    service.spawned(2);
    service.ready(2);
    service.recorded();
    service.shutdown();
    expect(signals(service.effects)).toEqual(["2 SIGTERM"]);
  });

  test("ends a deploy in progress and answers it", () => {
    const service = new Service();
    service.deploy();
    const request = service.run();
    service.shutdown();
    expect(outcomeOf(service.effects, request)).toMatchObject({ kind: "rolledBack", failure: { kind: "shutdown" } });
    expect(signals(service.effects)).toEqual(["1 SIGTERM", "2 SIGTERM"]);
  });

  test("answers a deploy that has already failed with its failure", () => {
    const service = new Service();
    service.deploy();
    const request = service.run();
    service.spawned(2);
    service.pass(30_000);
    service.shutdown();
    expect(outcomeOf(service.effects, request)).toMatchObject({ worker: 2, failure: { kind: "timeout" } });
  });

  test("waits for a record that is being written, and for its deploy's answer", () => {
    const service = new Service();
    const deploy = service.run();
    service.spawned(1);
    service.ready(1);
    service.shutdown();
    expect(exitStatus(service.exited(1))).toBeUndefined();
    const effects = service.recorded();
    expect(outcomeOf(effects, deploy)?.kind).toBe("deployed");
    expect(exitStatus(effects)).toBe(0);
  });

  test("refuses later requests", () => {
    const service = new Service();
    service.deploy();
    service.shutdown();
    const request = service.run({}, { supersede: true });
    expect(outcomeOf(service.effects, request)).toEqual({ kind: "refused", refusal: { kind: "shuttingDown" } });
  });

  test("handles a start that fails after its stop signal", () => {
    const service = new Service();
    service.run();
    service.shutdown();
    expect(exitStatus(service.spawnFailed(1))).toBe(0);
  });

  test("answers a request that arrives after its end", () => {
    const service = new Service();
    service.shutdown();
    const request = service.shutdown();
    expect(service.effects).toEqual([{ kind: "answer", request, outcome: { kind: "shutDown" } }]);
  });
});
