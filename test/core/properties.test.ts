// The invariants as properties over random sequences of events, sensible or not; a failure is shrunk to a short one.
// How many sequences: CRANK_PROPERTY_RUNS, default 2000 for each property.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { nextDeadline } from "../../src/core/deadline.ts";
import type { CoreEvent } from "../../src/core/model/events.ts";
import { plainOf } from "../../src/core/model/plain-state.ts";
import type { Spec } from "../../src/core/model/spec.ts";
import { initialState, type Policy, type Respawn, type State } from "../../src/core/model/state.ts";
import type { Eviction } from "../../src/core/model/worker.ts";
import { allWorkers, findWorker } from "../../src/core/model/workers.ts";
import { recyclingDueAt } from "../../src/core/pool/recycling.ts";
import { step } from "../../src/core/step.ts";
import {
  answersOnce,
  boundsDraining,
  boundsSurge,
  type Invariant,
  isWellFormed,
  keepsAvailable,
  keepsHistory,
  keepsPause,
  recordsDeploys,
  recyclesOneByOne,
  replacesFirst,
  survivesKill,
} from "../simulator/invariants.ts";
import { ASKED, freeze, PROBED, WALL } from "./service.ts";
import { SPEC } from "./spec.ts";

const RUNS = Number(process.env.CRANK_PROPERTY_RUNS ?? 2000);
const TIMEOUT_MS = 120_000;

const specs: fc.Arbitrary<Spec> = fc
  .record({
    instances: fc.integer({ min: 0, max: 5 }),
    surge: fc.integer({ min: 0, max: 3 }),
    unavailable: fc.integer({ min: 0, max: 2 }),
    minReadyMs: fc.constantFrom(0, 5, 50),
    startTimeoutMs: fc.constantFrom(null, 20, 100),
    retries: fc.integer({ min: 0, max: 2 }),
    rolloutDeadlineMs: fc.constantFrom(null, 40, 200),
    pauseMs: fc.constantFrom(0, 0, 10, 100),
    maxDraining: fc.constantFrom(null, null, 1, 2),
    maxAgeMs: fc.constantFrom(null, null, 30, 300),
    maxMemory: fc.constantFrom(null, 1000),
    memoryIntervalMs: fc.constantFrom(20, 200),
    readiness: fc.constantFrom<Spec["readiness"]>({ kind: "notify" }, { kind: "delay", afterMs: 10 }, PROBED),
    liveness: fc.constantFrom<Spec["liveness"]>(null, null, ASKED, { kind: "watchdog", periodMs: 50 }),
    stopSteps: fc.constantFrom<Spec["stopSteps"]>(
      SPEC.stopSteps,
      [{ signal: "SIGTERM", afterMs: 0 }],
      [
        { signal: "SIGUSR2", afterMs: 0 },
        { signal: "SIGTERM", afterMs: 10 },
        { signal: "SIGKILL", afterMs: 20 },
      ],
    ),
  })
  .map((changes) => ({ ...SPEC, ...changes }));

/** What may happen; `pick` chooses the worker or request that it happens to among those that there are. */
type RandomEvent = {
  readonly kind: CoreEvent["kind"] | "deadline";
  readonly afterMs: number;
  readonly pick: number;
  readonly spec: Spec;
  readonly flag: boolean;
};

const happenings = fc.array(
  fc.record<RandomEvent>({
    kind: fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom<RandomEvent["kind"]>("spawned", "workerReady", "probed", "deadline", "recorded"),
      },
      {
        weight: 3,
        arbitrary: fc.constantFrom<RandomEvent["kind"]>(
          "run",
          "workerExited",
          "mainExited",
          "tick",
          "evict",
          "measured",
          "leaving",
        ),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom<RandomEvent["kind"]>("spawnFailed", "scale", "reload", "extended", "moved"),
      },
      { weight: 1, arbitrary: fc.constantFrom<RandomEvent["kind"]>("workerExited", "run", "shutdown", "adopted") },
    ),
    afterMs: fc.constantFrom(0, 0, 1, 15, 120),
    pick: fc.nat(12),
    spec: specs,
    flag: fc.boolean(),
  }),
  { maxLength: 60, size: "max" },
);

const OTHER_STEPS = [{ signal: "SIGINT", afterMs: 0 }];

const policies = fc.record<Policy>({
  failureStatus: fc.constantFrom(0, 1),
  restores: fc.boolean(),
  attempts: fc.constantFrom("rollout", "place", "endless"),
  failSteps: fc.constantFrom(null, [
    { signal: "SIGTERM", afterMs: 0 },
    { signal: "SIGKILL", afterMs: 10 },
  ]),
  whenEmpty: fc.constantFrom("stay", "end"),
  pace: fc.constantFrom(null, { maxUnready: 1 }, { maxUnready: 2 }),
});

const services = fc.record({
  respawn: fc.option(
    fc.record({ baseMs: fc.constantFrom(0, 10), pools: fc.constant(true as const) }, { requiredKeys: ["baseMs"] }),
  ),
  manner: policies,
  happenings,
});

/** Lets it all happen, and calls `check` with every step. */
const live = (
  life: {
    readonly respawn: Respawn | null;
    readonly manner: Policy;
    readonly happenings: readonly RandomEvent[];
  },
  check: (before: State, event: CoreEvent, after: State, effects: ReturnType<typeof step>["effects"]) => void,
): void => {
  let state = freeze(initialState({ respawn: life.respawn, history: [], manner: life.manner }));
  let now = 1000;
  let request = 0;
  for (const happening of life.happenings) {
    now += happening.afterMs;
    const deadline = nextDeadline(state);
    if (happening.kind === "deadline") now = Math.max(now, deadline ?? now);
    request += 1;
    const event = eventOf(happening, state, now, request);
    const { state: after, effects } = step(state, event);
    check(state, event, after, effects);
    state = freeze(after);
  }
};

const eventOf = (happening: RandomEvent, state: State, now: number, request: number): CoreEvent => {
  const { kind, pick, spec, flag } = happening;
  const ids = allWorkers(state.workers).map(({ id }) => id);
  // One more than there are: none.
  const worker = ids[pick % (ids.length + 1)] ?? 99_999;
  switch (kind) {
    case "run":
      return {
        kind,
        now,
        request: flag ? request : null,
        wallNow: WALL,
        spec,
        supersede: pick > 6,
        order: pick % 3 === 0 ? "fleet" : "oneByOne",
        expectPid: null,
      };
    case "cancelReload":
      return { kind, now };
    case "scale":
      return {
        kind,
        now,
        request,
        change: flag ? { to: pick - 2 } : { by: pick - 6 },
        inRollout: pick % 2 ? "apply" : "refuse",
      };
    case "shutdown":
      return { kind, now, request: flag ? request : null, steps: pick > 6 ? OTHER_STEPS : null };
    case "reload":
      return { kind, now, wallNow: WALL };
    case "spawned":
      return { kind, now, worker, pid: 100 + worker, startTime: now };
    case "spawnFailed":
      return { kind, now, worker, step: "exec", errno: 2 };
    case "workerReady":
      return { kind, now, worker, at: flag ? now : now - 10, ...(pick % 5 === 0 ? { sockets: ASTRAY } : {}) };
    case "probed":
      return { kind, now, at: now, worker, probe: pick + 1, verdict: VERDICTS[pick % 3] ?? "ok", detail: "hangs" };
    case "workerExited":
      return { kind, now, worker, at: now, ending: { kind: "exit", code: flag ? 0 : 1 }, tail: "last words" };
    case "mainExited":
      return { kind, now, worker, at: now, ending: { kind: "exit", code: flag ? 0 : 1 }, rest: 1 + pick };
    case "leaving":
      return { kind, now, worker };
    case "extended":
      return { kind, now, worker, until: now + 10 * pick };
    case "moved":
      return { kind, now, worker, pid: 1000 + worker, startTime: now };
    case "evict":
      return { kind, now, worker, reason: REASONS[pick % REASONS.length] ?? REASONS[0] };
    case "measured":
      return { kind, now, sizes: ids.map((id) => ({ worker: id, bytes: 800 + ((id + pick) % 5) * 100 })) };
    case "recorded":
      return { kind, now, error: flag ? null : "disk full" };
    case "adopted":
      // Where no worker lives, there is nothing to adopt.
      if (ids.length === 0) return { kind: "tick", now };
      return {
        ...{ kind, now, respawn: state.service.respawn, manner: state.service.manner },
        requests: [...(state.service.rollout?.requests ?? []), ...(state.service.pendingRecord?.requests ?? [])],
        lost: ids.slice(1).filter((id) => id % 3 === pick % 3),
        unsure: ids,
        isRecordOutdated: flag,
      };
    case "tick":
    case "deadline":
      return { kind: "tick", now, ...(pick % 5 === 0 ? { sockets: { [worker]: ASTRAY } } : {}) };
  }
};

const ASTRAY = { missing: ["tcp://:80 (descriptor 3)"], held: 1, listens: ["0.0.0.0:9292"] };
const VERDICTS = ["ok", "no", "unsure"] as const;
const REASONS: readonly [Eviction, ...Eviction[]] = [
  { kind: "notAlive", detail: "hangs" },
  { kind: "watchdog", afterMs: 100 },
];

const holds = (invariant: Invariant): void => {
  fc.assert(
    fc.property(services, (life) => {
      live(life, (before, event, after, effects) => {
        expect(invariant({ before, event, after, effects })).toBeNull();
      });
    }),
    { numRuns: RUNS },
  );
};

describe("whatever happens in whatever order", () => {
  test("a rollout keeps N − U workers available", () => holds(keepsAvailable), TIMEOUT_MS);
  test(
    "a rollout with a surge signals no available worker before its replacement is there",
    () => holds(replacesFirst),
    TIMEOUT_MS,
  );
  test("a rollout never has more than N + S workers starting or ready", () => holds(boundsSurge), TIMEOUT_MS);
  test("no more workers drain than the spec says", () => holds(boundsDraining), TIMEOUT_MS);
  test("a rollout begins nothing in its pause", () => holds(keepsPause), TIMEOUT_MS);
  test("workers are replaced for age or size one by one", () => holds(recyclesOneByOne), TIMEOUT_MS);
  test(
    "every request is answered once, and crank ends once, with its last worker",
    () => holds(answersOnce),
    TIMEOUT_MS,
  );
  test("the record changes by completed rollouts alone", () => holds(recordsDeploys), TIMEOUT_MS);
  test(
    "a supervisor that was killed does what the one that was not would have done",
    () => holds(survivesKill),
    TIMEOUT_MS,
  );
  test("each good run is kept once, in order, and not too many of them", () => holds(keepsHistory), TIMEOUT_MS);
  test("whatever the state refers to exists, and no number is used twice", () => holds(isWellFormed), TIMEOUT_MS);

  test(
    "a tick leaves nothing due but the reload or the recycling that waited for what it ended",
    () => {
      fc.assert(
        fc.property(services, (life) => {
          live(life, (before, event, after) => {
            const isLetGo = before.service.rollout !== null && after.service.queuedReload !== null;
            const deadline = event.kind === "tick" && !isLetGo ? nextDeadline(after) : null;
            const isRecycling =
              deadline !== null && recyclingDueAt(before) === null && recyclingDueAt(after) === deadline;
            if (deadline !== null && !isRecycling) expect(deadline).toBeGreaterThan(event.now);
          });
        }),
        { numRuns: RUNS },
      );
    },
    TIMEOUT_MS,
  );

  test(
    "what changes nothing gives back the same state",
    () => {
      fc.assert(
        fc.property(services, (life) => {
          live(life, (before, _event, after) => {
            if (JSON.stringify(plainOf(before)) === JSON.stringify(plainOf(after))) expect(after).toBe(before);
            for (const worker of allWorkers(after.workers)) {
              const was = findWorker(before.workers, worker.id);
              if (JSON.stringify(was) === JSON.stringify(worker)) expect(worker).toBe(was as typeof worker);
            }
          });
        }),
        { numRuns: RUNS },
      );
    },
    TIMEOUT_MS,
  );
});
