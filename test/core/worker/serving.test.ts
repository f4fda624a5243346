// Workers that report readiness without holding the service's sockets: they fail like others that cannot serve.
import { describe, expect, test } from "bun:test";
import { describeFailure } from "../../../src/core/describe.ts";
import type { Failure, SocketFinding } from "../../../src/core/model/worker.ts";
import { eventsOf, KILLED, outcomeOf, PROBED, Service, signals, started } from "../service.ts";

const NONE: SocketFinding = { missing: ["tcp://:80 (descriptor 3)"], held: 0, listens: ["0.0.0.0:9292"] };
const SOME: SocketFinding = { ...NONE, held: 1 };

/** A service with one serving worker, and another that was started to replace it. */
const deploying = (spec: object = {}): { readonly service: Service; readonly request: number } => {
  const service = new Service({ respawn: { baseMs: 1000 } });
  service.deploy();
  const request = service.run(spec);
  service.spawned(2);
  return { service, request };
};

describe("a worker that reports readiness without its sockets", () => {
  test("is killed, the deploy is rolled back, and the old one stays", () => {
    const { service, request } = deploying();
    const effects = service.send({ kind: "workerReady", now: service.now, at: service.now, worker: 2, sockets: NONE });
    expect(signals(effects)).toEqual(["2 SIGKILL tree"]);
    const failure = { kind: "notServing", sign: "notify", sockets: NONE, tail: "last words" } as const;
    expect(outcomeOf(service.exited(2, KILLED, "last words"), request)).toMatchObject({ kind: "rolledBack", failure });
    expect(service.ids("ready")).toEqual([1]);
  });

  test("gets its stop signal if it holds some of them, because it may serve there", () => {
    const { service } = deploying();
    const effects = service.send({ kind: "workerReady", now: service.now, at: service.now, worker: 2, sockets: SOME });
    expect(signals(effects)).toEqual(["2 SIGTERM"]);
    expect(signals(service.pass(30_000))).toEqual(["2 SIGKILL tree"]);
  });

  test("uses up an attempt", () => {
    const { service } = deploying({ retries: 1 });
    service.send({ kind: "workerReady", now: service.now, at: service.now, worker: 2, sockets: NONE });
    service.exited(2, KILLED);
    expect(service.state.service.rollout?.attemptsLeft).toBe(0);
    expect(service.ids("starting")).toEqual([3]);
  });

  test("extends the restart delay between deploys", () => {
    const service = new Service({ respawn: { baseMs: 1000 } });
    service.deploy();
    service.now += 5000;
    expect(started(service.exited(1))).toEqual([2]);
    service.spawned(2);
    service.send({ kind: "workerReady", now: service.now, at: service.now, worker: 2, sign: "ack", sockets: NONE });
    expect(eventsOf(service.effects)).toContainEqual({ kind: "respawnScheduled", inMs: 1500 });
  });
});

test("a worker that is ready by delay without its sockets fails", () => {
  const { service } = deploying({ readiness: { kind: "delay", afterMs: 500 } });
  service.now += 500;
  service.send({ kind: "tick", now: service.now, sockets: { 2: NONE } });
  expect(signals(service.effects)).toEqual(["2 SIGKILL tree"]);
  expect(service.workers("stopping")[0]?.failure).toMatchObject({ kind: "notServing", sign: "delay" });
});

test("a worker whose last probe succeeds without its sockets fails; earlier probes decide nothing", () => {
  const { service } = deploying({ readiness: PROBED });
  const probed = (probe: number) =>
    service.send({
      ...{ kind: "probed", now: service.now, at: service.now, worker: 2, probe },
      ...{ verdict: "ok", detail: "", sockets: NONE },
    });
  expect(signals(probed(1))).toEqual([]);
  service.pass(20);
  expect(signals(probed(2))).toEqual(["2 SIGKILL tree"]);
});

test("the failure of a late worker describes its sockets", () => {
  const { service } = deploying();
  service.now += 30_000;
  service.send({ kind: "tick", now: service.now, sockets: { 2: NONE } });
  expect(service.workers("stopping")[0]?.failure).toMatchObject({ kind: "timeout", sockets: NONE });
});

test.each([
  [
    { kind: "notServing", sign: "notify", sockets: NONE },
    "it sent READY=1 but does not hold tcp://:80 (descriptor 3); it listens on 0.0.0.0:9292",
  ],
  [
    { kind: "notServing", sign: "ack", sockets: { ...NONE, listens: [] } },
    "it acknowledged that it is ready but does not hold tcp://:80 (descriptor 3); it listens nowhere",
  ],
  [
    { kind: "timeout", afterMs: 1000, sockets: { ...SOME, missing: [] } },
    "not ready within 1 s; it holds its sockets; it also listens on 0.0.0.0:9292",
  ],
  [
    {
      kind: "timeout",
      afterMs: 1000,
      sockets: { ...SOME, missing: [], apart: { holder: "7 (npm start)", listener: "9 (node)" } },
    },
    "not ready within 1 s; it holds its sockets only in process 7 (npm start); process 9 (node) listens on 0.0.0.0:9292; run that one itself, a wrapper such as npm closes the sockets on the way",
  ],
])("%j has its sentence", (failure, sentence) => {
  expect(describeFailure({ tail: "", ...failure } as Failure)).toBe(`Failed to start: ${sentence}`);
});
