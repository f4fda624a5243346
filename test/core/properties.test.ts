// The invariants as properties over random sequences of events, valid or not; a failure is shrunk to a short one.
// How many sequences: CRANK_PROPERTY_RUNS, default 4000.
import { describe, test } from "bun:test";
import fc from "fast-check";
import { nextDeadline } from "../../src/core/deadline.ts";
import type { CoreEvent } from "../../src/core/model/events.ts";
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
  jsonOf,
  keepsAvailable,
  keepsHistory,
  keepsPause,
  recordsDeploys,
  recyclesOneByOne,
  replacesFirst,
  survivesKill,
} from "../simulator/invariants.ts";
import type { Transition } from "../simulator/transition.ts";
import { ASKED, freeze, PROBED, WALL } from "./service.ts";
import { SPEC } from "./spec.ts";

const RUNS = Number(process.env.CRANK_PROPERTY_RUNS ?? 4000);
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

/** The number of specs in a life: they take longest to make, and most events need none. */
const SPECS = 8;

/** A possible event; `pick` chooses its worker or request among the existing ones. */
type RandomEvent = {
  readonly kind: CoreEvent["kind"] | "deadline";
  readonly afterMs: number;
  readonly pick: number;
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
  specs: fc.array(specs, { minLength: SPECS, maxLength: SPECS }),
  happenings,
});

type Life = {
  readonly respawn: Respawn | null;
  readonly manner: Policy;
  readonly specs: readonly Spec[];
  readonly happenings: readonly RandomEvent[];
};

/** Applies the events, and calls `check` after every step. */
const live = (life: Life, check: (transition: Transition) => void): void => {
  let state = freeze(initialState({ respawn: life.respawn, history: [], manner: life.manner }));
  let now = 1000;
  let request = 0;
  let runs = 0;
  for (const happening of life.happenings) {
    now += happening.afterMs;
    const deadline = nextDeadline(state);
    if (happening.kind === "deadline") now = Math.max(now, deadline ?? now);
    request += 1;
    const spec = life.specs[runs % SPECS] ?? SPEC;
    if (happening.kind === "run") runs += 1;
    const event = eventOf(happening, spec, state, now, request);
    const { state: after, effects } = step(state, event);
    check({ before: state, event, after, effects });
    state = freeze(after);
  }
};

const eventOf = (happening: RandomEvent, spec: Spec, state: State, now: number, request: number): CoreEvent => {
  const { kind, pick, flag } = happening;
  const ids = allWorkers(state.workers).map(({ id }) => id);
  // One more than there are: an unknown one.
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
      // Without a living worker there is nothing to adopt.
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

/** A tick leaves nothing due, except a reload or a recycling that waited for what the tick ended. */
const leavesNothingDue: Invariant = ({ before, event, after }) => {
  const isLetGo = before.service.rollout !== null && after.service.queuedReload !== null;
  const deadline = event.kind === "tick" && !isLetGo ? nextDeadline(after) : null;
  if (deadline === null || deadline > event.now) return null;
  const isRecycling = recyclingDueAt(before) === null && recyclingDueAt(after) === deadline;
  return isRecycling ? null : `${deadline} is still due at ${event.now}`;
};

/** Equal values are the same object, so that nothing is written or compared without need. */
const keepsWhatIsEqual: Invariant = ({ before, after }) => {
  if (after === before) return null;
  if (jsonOf(before) === jsonOf(after)) return "another state that is equal";
  for (const worker of allWorkers(after.workers)) {
    const was = findWorker(before.workers, worker.id);
    if (was !== worker && JSON.stringify(was) === JSON.stringify(worker)) return `another equal worker ${worker.id}`;
  }
  return null;
};

const PROPERTIES: Readonly<Record<string, Invariant>> = {
  "a rollout keeps N − U workers available": keepsAvailable,
  "a rollout with a surge signals no available worker before its replacement is there": replacesFirst,
  "a rollout never has more than N + S workers starting or ready": boundsSurge,
  "no more workers drain than the spec says": boundsDraining,
  "a rollout starts no replacement in its pause": keepsPause,
  "workers are replaced for age or size one at a time": recyclesOneByOne,
  "every request is answered once, and crank ends once, with its last worker": answersOnce,
  "only completed rollouts change the record": recordsDeploys,
  "a killed supervisor's successor does what the supervisor would have done": survivesKill,
  "good runs are kept once, in order and within the limit": keepsHistory,
  "everything that the state refers to exists, and no number is reused": isWellFormed,
  "a tick leaves nothing due, except a reload or a recycling that waited for what the tick ended": leavesNothingDue,
  "an event without effect returns the same state": keepsWhatIsEqual,
};

/** Checks that these hold in every step of every life. */
const allHold = (invariants: readonly Invariant[]) =>
  fc.property(services, (life) => {
    live(life, (transition) => {
      for (const invariant of invariants) {
        const wrong = invariant(transition);
        if (wrong !== null) throw new Error(wrong);
      }
    });
  });

/** Searches for a life that breaks any of them. They share its lives, which take most of the time. */
let search: { readonly failed: boolean; readonly seed: number } | null = null;

const holds = (invariant: Invariant): void => {
  search ??= fc.check(allHold(Object.values(PROPERTIES)), { numRuns: RUNS, endOnFailure: true });
  // Only the broken ones are searched again in the same lives, each with a short result.
  if (search.failed) fc.assert(allHold([invariant]), { numRuns: RUNS, seed: search.seed });
};

describe("for any events in any order", () => {
  for (const [name, invariant] of Object.entries(PROPERTIES)) test(name, () => holds(invariant), TIMEOUT_MS);
});
