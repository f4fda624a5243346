// Rollouts of one worker and of pools: what starts when, what goes when, what is recorded and answered, and the way back.
import { describe, expect, test } from "bun:test";
import {
  EXIT_0,
  EXIT_1,
  exitStatus,
  KILLED,
  notes,
  outcomeOf,
  Service,
  SPEC,
  signals,
  started,
  WALL,
} from "./service.ts";

describe("a deploy of one worker", () => {
  test("that is the first starts it, and answers when it is ready and recorded", () => {
    const service = new Service();
    const request = service.run();
    expect(started(service.effects)).toEqual([1]);
    service.spawned(1);
    const effects = service.ready(1);
    expect(effects).toContainEqual({ kind: "record" });
    expect(outcomeOf(effects, request)).toBeUndefined();
    expect(outcomeOf(service.recorded(), request)).toEqual({
      kind: "deployed",
      generation: 1,
      pids: [101],
      recordError: null,
    });
  });

  test("leaves the old one alone until the new one is ready, and then tells it to go", () => {
    const service = new Service();
    service.deploy();
    service.run();
    expect(started(service.effects)).toEqual([2]);
    expect(signals(service.effects)).toEqual([]);
    expect(signals(service.spawned(2))).toEqual([]);
    expect(signals(service.ready(2))).toEqual(["1 SIGTERM"]);
  });

  test("answers while the old one is still draining", () => {
    const service = new Service();
    service.deploy();
    const request = service.run();
    service.spawned(2);
    service.ready(2);
    expect(outcomeOf(service.recorded(), request)?.kind).toBe("deployed");
    expect(service.ids("stopping")).toEqual([1]);
  });

  test("whose record cannot be written stands, and says so", () => {
    const service = new Service();
    const request = service.run();
    service.spawned(1);
    service.ready(1);
    const outcome = outcomeOf(service.recorded("disk full"), request);
    expect(outcome).toMatchObject({ kind: "deployed", recordError: "disk full" });
    expect(service.state.service.current).toBe(1);
  });

  test("that exits before it is ready leaves the old one serving and the record as it was", () => {
    const service = new Service();
    service.deploy();
    const { history } = service.state;
    const request = service.run();
    service.spawned(2);
    const effects = service.exited(2, EXIT_1, "no such port\n");
    expect(outcomeOf(effects, request)).toEqual({
      kind: "rolledBack",
      generation: 2,
      worker: 2,
      pid: 102,
      failure: { kind: "exited", ending: EXIT_1, tail: "no such port\n" },
    });
    expect(service.ids("ready")).toEqual([1]);
    expect(service.state.history).toBe(history);
    expect(service.state.service.current).toBe(1);
  });

  test("that exits with status 0 before it is ready has failed as well", () => {
    const service = new Service();
    service.deploy();
    const request = service.run();
    service.spawned(2);
    expect(outcomeOf(service.exited(2, EXIT_0), request)?.kind).toBe("rolledBack");
  });

  test("that cannot be started says which step failed", () => {
    const service = new Service();
    service.deploy();
    const request = service.run();
    expect(outcomeOf(service.spawnFailed(2), request)).toMatchObject({
      failure: { kind: "spawn", step: "exec", errno: 2 },
      pid: null,
    });
  });

  test("that is not ready in time is killed, and answered for with its last lines when it is gone", () => {
    const service = new Service();
    service.deploy();
    const request = service.run();
    service.spawned(2);
    const effects = service.pass(30_000);
    expect(signals(effects)).toEqual(["2 SIGKILL group"]);
    expect(outcomeOf(effects, request)).toBeUndefined();
    const outcome = outcomeOf(service.exited(2, KILLED, "waiting for the database\n"), request);
    expect(outcome).toMatchObject({
      kind: "rolledBack",
      pid: 102,
      failure: { kind: "timeout", afterMs: 30_000, tail: "waiting for the database\n" },
    });
    expect(service.state.service.rollout).toBeNull();
  });

  test("is judged by when its readiness was said, not by when it was heard", () => {
    const service = new Service();
    service.run({ startTimeoutMs: 1000 });
    service.spawned(1);
    service.now += 5000;
    expect(signals(service.ready(1, service.now - 4500))).toEqual([]);
    expect(service.ids("ready")).toEqual([1]);
  });

  test("is too late with a readiness that was said after the time, even if no tick has come", () => {
    const service = new Service();
    service.run({ startTimeoutMs: 1000 });
    service.spawned(1);
    service.now += 5000;
    expect(signals(service.ready(1, service.now - 3999))).toEqual(["1 SIGKILL group"]);
  });

  test("that says that it is ready twice is ready once", () => {
    const service = new Service();
    service.run();
    service.spawned(1);
    service.ready(1);
    const { state } = service;
    expect(service.ready(1)).toEqual([]);
    expect(service.state).toBe(state);
  });

  test("has to stay ready for minReady before the old one goes", () => {
    const service = new Service();
    service.deploy();
    service.run({ minReadyMs: 500 });
    service.spawned(2);
    expect(signals(service.ready(2))).toEqual([]);
    expect(signals(service.pass(499))).toEqual([]);
    expect(signals(service.pass(1))).toEqual(["1 SIGTERM"]);
  });

  test("that dies within minReady has failed", () => {
    const service = new Service();
    service.deploy();
    const request = service.run({ minReadyMs: 500 });
    service.spawned(2);
    service.ready(2);
    expect(outcomeOf(service.exited(2), request)?.kind).toBe("rolledBack");
    expect(service.ids("ready")).toEqual([1]);
  });

  test("that proves itself by staying alive is ready after its delay, which no start timeout cuts short", () => {
    const service = new Service();
    service.run({ readiness: { kind: "delay", afterMs: 3000 }, startTimeoutMs: 1000 });
    service.now += 10;
    service.spawned(1);
    service.pass(2999);
    expect(service.ids("starting")).toEqual([1]);
    service.pass(1);
    expect(service.ids("ready")).toEqual([1]);
  });

  test("is tried as often again as it says", () => {
    const service = new Service();
    const request = service.run({ retries: 2 });
    expect(started(service.spawnFailed(1))).toEqual([2]);
    service.spawned(2);
    expect(started(service.exited(2, EXIT_1))).toEqual([3]);
    expect(notes(service.effects)).toContainEqual(expect.objectContaining({ kind: "workerFailed", attemptsLeft: 0 }));
    expect(outcomeOf(service.spawnFailed(3), request)?.kind).toBe("rolledBack");
  });

  test("fails as a whole when its own deadline passes", () => {
    const service = new Service();
    service.deploy();
    const request = service.run({ rolloutDeadlineMs: 2000, startTimeoutMs: null });
    service.spawned(2);
    const effects = service.pass(2000);
    expect(outcomeOf(effects, request)).toMatchObject({ worker: null, failure: { kind: "deadline", afterMs: 2000 } });
    expect(signals(effects)).toEqual(["2 SIGTERM"]);
  });

  test("is dated by the wall clock at its completion", () => {
    const service = new Service();
    service.run();
    service.now += 700;
    service.spawned(1);
    service.ready(1);
    expect(service.state.history).toEqual([{ generation: 1, at: WALL + 700, spec: SPEC }]);
  });

  test("keeps the last ten good specs", () => {
    const service = new Service();
    for (let deploys = 0; deploys < 12; deploys++) service.deploy({ command: [`server${deploys}`] });
    expect(service.state.history.map(({ generation }) => generation)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  test("forgets a generation when its last worker is gone", () => {
    const service = new Service();
    service.deploy();
    service.run();
    service.spawned(2);
    service.ready(2);
    expect(Object.keys(service.state.generations)).toEqual(["1", "2"]);
    service.exited(1);
    expect(Object.keys(service.state.generations)).toEqual(["2"]);
  });
});

describe("a deploy is refused", () => {
  test("while another one is on its way", () => {
    const service = new Service();
    service.run();
    service.run();
    expect(service.effects).toEqual([
      { kind: "answer", request: 2, outcome: { kind: "refused", refusal: { kind: "rolloutInFlight" } } },
    ]);
  });

  test("until the one before it is recorded", () => {
    const service = new Service();
    service.run();
    service.spawned(1);
    service.ready(1);
    const request = service.run();
    expect(outcomeOf(service.effects, request)).toMatchObject({ refusal: { kind: "rolloutInFlight" } });
  });

  test("when the pid that it expects is not a ready worker's", () => {
    const service = new Service();
    service.deploy();
    const request = service.run({}, { expectPid: 7 });
    expect(outcomeOf(service.effects, request)).toEqual({
      kind: "refused",
      refusal: { kind: "wrongPid", passed: 7, current: 101 },
    });
    service.run({}, { expectPid: 101 });
    expect(started(service.effects)).toEqual([2]);
  });

  test("but not for a wrong pid when nobody is ready", () => {
    const service = new Service();
    service.run({}, { expectPid: 7 });
    expect(started(service.effects)).toEqual([1]);
  });

  test("without a word to anybody if it was crank's own wish", () => {
    const service = new Service();
    service.run();
    service.run({}, { request: null });
    expect(service.effects).toEqual([]);
  });
});

describe("a deploy that supersedes another", () => {
  test("stops what the other has started, answers it, and goes on at once", () => {
    const service = new Service();
    service.deploy();
    const first = service.run();
    service.spawned(2);
    service.run({}, { supersede: true });
    expect(outcomeOf(service.effects, first)).toMatchObject({ kind: "rolledBack", failure: { kind: "superseded" } });
    expect(signals(service.effects)).toEqual(["2 SIGTERM"]);
    expect(started(service.effects)).toEqual([3]);
    expect(service.ids("ready")).toEqual([1]);
  });

  test("keeps the other's available workers until its own can take their place", () => {
    const service = new Service();
    service.deploy({ instances: 2 });
    service.run({ instances: 2 });
    service.spawned(3);
    expect(signals(service.ready(3))).toEqual(["1 SIGTERM"]);
    service.run({ instances: 2 }, { supersede: true });
    expect(service.ids("ready")).toEqual([2, 3]);
    const [fifth] = service.ids("starting").slice(-1);
    service.spawned(fifth ?? 0);
    expect(signals(service.ready(fifth ?? 0))).toEqual(["3 SIGTERM"]);
  });

  test("waits for the other's record before its own is wanted", () => {
    const service = new Service();
    const first = service.run();
    service.spawned(1);
    service.ready(1);
    const second = service.run({}, { supersede: true });
    service.spawned(2);
    expect(service.ready(2)).not.toContainEqual({ kind: "record" });
    const effects = service.recorded();
    expect(outcomeOf(effects, first)).toMatchObject({ kind: "deployed", generation: 1 });
    expect(effects).toContainEqual({ kind: "record" });
    expect(outcomeOf(service.recorded(), second)).toMatchObject({ kind: "deployed", generation: 2, pids: [102] });
  });

  test("is not needed when the other has failed and only the way back is left to go", () => {
    const service = new Service();
    service.deploy({ instances: 2, surge: 0, unavailable: 1 });
    service.run({ instances: 2, surge: 0, unavailable: 1 });
    service.exited(1);
    expect(service.ids("starting")).toEqual([3]);
    service.spawned(3);
    service.ready(3);
    service.exited(2);
    service.spawnFailed(4);
    expect(service.state.service.rollout?.rollingBack?.told).toBe(true);
    service.run({ instances: 2 });
    expect(service.state.service.rollout?.rollingBack).toBeNull();
  });
});

describe("a rollout of a pool", () => {
  test("replaces one after the other with a surge of one", () => {
    const service = new Service();
    service.deploy({ instances: 3 });
    service.run({ instances: 3 });
    expect(started(service.effects)).toEqual([4]);
    for (const [incoming, old] of [
      [4, 1],
      [5, 2],
      [6, 3],
    ] as const) {
      service.spawned(incoming);
      const effects = service.ready(incoming);
      expect(signals(effects)).toEqual([`${old} SIGTERM`]);
      expect(started(effects)).toEqual(incoming < 6 ? [incoming + 1] : []);
    }
    expect(service.state.service.current).toBe(2);
  });

  test("starts as many at once as the surge allows", () => {
    const service = new Service();
    service.deploy({ instances: 4 });
    service.run({ instances: 4, surge: 3 });
    expect(started(service.effects)).toEqual([5, 6, 7]);
  });

  test("without a surge stops first, and starts when there is room again", () => {
    const service = new Service();
    service.deploy({ instances: 3 });
    service.run({ instances: 3, surge: 0, unavailable: 1 });
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
    expect(started(service.effects)).toEqual([]);
    expect(started(service.exited(1))).toEqual([4]);
    service.spawned(4);
    expect(signals(service.ready(4))).toEqual(["2 SIGTERM"]);
  });

  test("with neither surge nor unavailable goes as if one might be missing", () => {
    const service = new Service();
    service.deploy();
    service.run({ surge: 0, unavailable: 0 });
    expect(signals(service.effects)).toEqual(["1 SIGTERM"]);
  });

  test("with a surge keeps all available even where some might be missing", () => {
    const service = new Service();
    service.deploy({ instances: 3 });
    service.run({ instances: 3, surge: 1, unavailable: 1 });
    expect(signals(service.effects)).toEqual([]);
    expect(started(service.effects)).toEqual([4]);
  });

  test("that finds its places taken by workers that never get ready takes one of them", () => {
    const service = new Service({ respawn: { baseMs: 0 } });
    service.deploy({ instances: 3 });
    service.exited(1, EXIT_1);
    service.exited(2, EXIT_1);
    expect(service.ids("starting")).toEqual([4, 5]);
    service.run({ instances: 3, surge: 0, unavailable: 1 });
    expect(signals(service.effects)).toEqual(["4 SIGTERM"]);
    expect(started(service.exited(4))).toEqual([6]);
  });

  test("to fewer workers lets the superfluous go first", () => {
    const service = new Service();
    service.deploy({ instances: 4 });
    service.run({ instances: 2 });
    expect(signals(service.effects)).toEqual(["1 SIGTERM", "2 SIGTERM"]);
    expect(started(service.effects)).toEqual([5]);
  });

  test("goes on when an old worker dies meanwhile, and does not start it again", () => {
    const service = new Service({ respawn: { baseMs: 0 } });
    service.deploy({ instances: 2 });
    service.run({ instances: 2 });
    const effects = service.exited(1, EXIT_1);
    expect(service.workers("starting").every(({ generation }) => generation === 2)).toBe(true);
    expect(started(effects)).toEqual([4]);
  });

  test("replaces a new worker that dies after it was available, but not in a tight loop", () => {
    const service = new Service();
    service.deploy({ instances: 2 });
    service.run({ instances: 2, surge: 2 });
    service.spawned(3);
    service.ready(3);
    expect(started(service.exited(3, EXIT_1))).toEqual([]);
    expect(started(service.pass(1000))).toEqual([5]);
  });

  test("lets those go first that are not available", () => {
    const service = new Service({ respawn: { baseMs: 0 } });
    service.deploy({ instances: 2 });
    service.exited(1, EXIT_1);
    expect(service.ids("starting")).toEqual([3]);
    service.run({ instances: 2, surge: 2 });
    service.spawned(4);
    expect(signals(service.ready(4))).toEqual(["3 SIGTERM"]);
  });
});

describe("the way back", () => {
  test("starts again what had gone, and keeps new workers that serve until then", () => {
    const service = new Service();
    service.deploy({ instances: 3 });
    const request = service.run({ instances: 3 });
    service.spawned(4);
    service.ready(4);
    service.spawned(5);
    const effects = service.exited(5, EXIT_1);
    expect(outcomeOf(effects, request)?.kind).toBe("rolledBack");
    expect(started(effects)).toEqual([6]);
    expect(signals(effects)).toEqual([]);
    expect(service.state.workers[6]?.generation).toBe(1);
    service.spawned(6);
    expect(signals(service.ready(6))).toEqual(["4 SIGTERM"]);
    expect(service.state.service.rollout).toBeNull();
    expect(service.ids("ready")).toEqual([2, 3, 6]);
  });

  test("does not give up while new workers hold the place: starts are tried again, later and later", () => {
    const service = new Service();
    service.deploy({ instances: 2 });
    service.run({ instances: 2 });
    service.spawned(3);
    service.ready(3);
    expect(started(service.spawnFailed(4))).toEqual([5]);
    expect(started(service.spawnFailed(5))).toEqual([]);
    expect(started(service.pass(1499))).toEqual([]);
    expect(started(service.pass(1))).toEqual([6]);
    expect(service.ids("ready")).toEqual([2, 3]);
    service.spawned(6);
    expect(signals(service.ready(6))).toEqual(["3 SIGTERM"]);
  });

  test("without a surge waits until the failed one is gone", () => {
    const service = new Service();
    service.deploy({ surge: 0, unavailable: 1 });
    service.run({ surge: 0, unavailable: 1, rolloutDeadlineMs: 1000 });
    service.exited(1);
    service.spawned(2);
    expect(signals(service.pass(1000))).toEqual(["2 SIGTERM"]);
    expect(service.ids("starting")).toEqual([]);
    expect(started(service.exited(2))).toEqual([3]);
    expect(service.state.workers[3]?.generation).toBe(1);
    expect(service.state.service.rollout).toBeNull();
  });

  test("to nothing stops all, and crank waits for another request", () => {
    const service = new Service();
    const request = service.run({ instances: 2, surge: 0, unavailable: 1 });
    service.spawned(1);
    service.ready(1);
    const effects = service.spawnFailed(2);
    expect(outcomeOf(effects, request)?.kind).toBe("rolledBack");
    expect(signals(effects)).toEqual(["1 SIGTERM"]);
    expect(exitStatus(service.exited(1))).toBeUndefined();
    service.run();
    expect(started(service.effects)).toEqual([3]);
  });

  test("to nothing of what crank wanted itself ends it with status 1", () => {
    const service = new Service();
    service.run({}, { request: null });
    expect(exitStatus(service.spawnFailed(1))).toBe(1);
  });
});
