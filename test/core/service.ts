// A service for the core's tests: the state, and short methods for its events. Every step is checked against the
// invariants, with the state frozen so that a step that writes to it fails.
import { expect } from "bun:test";
import { nextDeadline } from "../../src/core/deadline.ts";
import type { Effect, Outcome, ServiceEvent } from "../../src/core/model/effects.ts";
import type { CoreEvent, Scale } from "../../src/core/model/events.ts";
import type { GoodSpec, Spec, StopStep } from "../../src/core/model/spec.ts";
import {
  CRANK_POLICY,
  initialState,
  type Policy,
  type Respawn,
  type RolloutOrder,
  type State,
} from "../../src/core/model/state.ts";
import type { Ending, Eviction, Worker } from "../../src/core/model/worker.ts";
import { allWorkers } from "../../src/core/model/workers.ts";
import { step } from "../../src/core/step.ts";
import { survivesKill, violations } from "../simulator/invariants.ts";
import { SPEC } from "./spec.ts";

export const WALL = 1_700_000_000_000;

/** Readiness by probes: two good answers in a row. */
export const PROBED: Spec["readiness"] = {
  kind: "probe",
  check: { kind: "tcp" },
  address: null,
  intervalMs: 20,
  timeoutMs: 100,
  threshold: 2,
};

/** Liveness by probes: two bad answers in a row are a failure. */
export const ASKED: NonNullable<Spec["liveness"]> = { ...PROBED, intervalMs: 1000 };

export const EXIT_0: Ending = { kind: "exit", code: 0 };
export const EXIT_1: Ending = { kind: "exit", code: 1 };
export const KILLED: Ending = { kind: "signal", signal: "SIGKILL", core: false };

const NOT_ALIVE: Eviction = { kind: "notAlive", detail: "hangs" };

type Options = {
  readonly respawn?: Respawn | null;
  readonly history?: readonly GoodSpec[];
  readonly manner?: Policy;
};
type RunOptions = {
  readonly supersede?: boolean;
  readonly order?: RolloutOrder;
  readonly expectPid?: number;
  readonly request?: number | null;
};

export class Service {
  state: State;
  now = 1000;
  /** The effects of the last event. */
  effects: readonly Effect[] = [];
  #requests = 0;

  constructor({ respawn = null, history = [], manner = CRANK_POLICY }: Options = {}) {
    this.state = initialState({ respawn, history, manner });
  }

  /** Applies an event at the current time, and checks the step. */
  send(event: CoreEvent): readonly Effect[] {
    const before = freeze(this.state);
    const { state: after, effects } = step(before, event);
    const transition = { before, event, after, effects };
    expect(violations(transition)).toEqual([]);
    expect(survivesKill(transition)).toBeNull();
    this.state = after;
    this.effects = effects;
    return effects;
  }

  /** Returns the request's number. */
  run(spec: Partial<Spec> = {}, options: RunOptions = {}): number {
    const { supersede = false, order = "oneByOne", expectPid = null, request = this.#newRequest() } = options;
    const whole = { ...SPEC, ...spec };
    this.send({ kind: "run", now: this.now, request, wallNow: WALL, spec: whole, supersede, order, expectPid });
    return request ?? 0;
  }

  scale(change: Scale["change"], inRollout: Scale["inRollout"] = "refuse"): number {
    const request = this.#newRequest();
    this.send({ kind: "scale", now: this.now, request, change, inRollout });
    return request;
  }

  shutdown(steps: readonly StopStep[] | null = null): number {
    const request = this.#newRequest();
    this.send({ kind: "shutdown", now: this.now, request, steps });
    return request;
  }

  reload(): readonly Effect[] {
    return this.send({ kind: "reload", now: this.now, wallNow: WALL });
  }

  /** The process runs, under the pid 100 + its worker's number. */
  spawned(worker: number): readonly Effect[] {
    return this.send({ kind: "spawned", now: this.now, worker, pid: 100 + worker, startTime: this.now });
  }

  /** The main process has exited, and so many others of its tree have not. */
  mainExited(worker: number, ending: Ending, rest = 2): readonly Effect[] {
    return this.send({ kind: "mainExited", now: this.now, at: this.now, worker, ending, rest });
  }

  spawnFailed(worker: number): readonly Effect[] {
    return this.send({ kind: "spawnFailed", now: this.now, worker, step: "exec", errno: 2 });
  }

  ready(worker: number, at = this.now): readonly Effect[] {
    return this.send({ kind: "workerReady", now: this.now, at, worker });
  }

  probed(
    worker: number,
    probe: number,
    ok: boolean | "unsure",
    detail = ok === true ? "" : "hangs",
  ): readonly Effect[] {
    const verdict = ok === true ? "ok" : ok === false ? "no" : ok;
    return this.send({ kind: "probed", now: this.now, at: this.now, worker, probe, verdict, detail });
  }

  exited(worker: number, ending: Ending = EXIT_0, tail = ""): readonly Effect[] {
    return this.send({ kind: "workerExited", now: this.now, at: this.now, worker, ending, tail });
  }

  evict(worker: number, reason: Eviction = NOT_ALIVE): readonly Effect[] {
    return this.send({ kind: "evict", now: this.now, worker, reason });
  }

  recorded(error: string | null = null): readonly Effect[] {
    return this.send({ kind: "recorded", now: this.now, error });
  }

  /** Lets time pass, with a tick at every deadline on the way. Returns all effects. */
  pass(ms: number): readonly Effect[] {
    const done: Effect[] = [];
    const end = this.now + ms;
    for (let deadline = nextDeadline(this.state); deadline !== null && deadline <= end; ) {
      this.now = Math.max(this.now, deadline);
      done.push(...this.send({ kind: "tick", now: this.now }));
      deadline = nextDeadline(this.state);
    }
    this.now = end;
    this.effects = done;
    return done;
  }

  /** Deploys, makes every new worker ready and lets every old one exit, until the deploy is recorded. */
  deploy(spec: Partial<Spec> = {}): void {
    this.run(spec);
    for (let ready = 0; this.state.service.rollout !== null && ready < 1000; ready++) this.bringUp();
    this.recorded();
    expect(this.state.service.current).toBe(this.state.service.nextGeneration - 1);
  }

  /** Makes all starting workers ready, and lets all stopping workers exit. */
  bringUp(): void {
    for (const { id } of this.workers("starting")) {
      this.spawned(id);
      this.ready(id);
    }
    for (const { id } of this.workers("stopping")) this.exited(id);
  }

  workers<K extends Worker["kind"]>(kind: K): Extract<Worker, { kind: K }>[] {
    // The filter leaves only this kind.
    return allWorkers(this.state.workers).filter((worker) => worker.kind === kind) as Extract<Worker, { kind: K }>[];
  }

  ids(kind: Worker["kind"]): number[] {
    return this.workers(kind).map(({ id }) => id);
  }

  #newRequest(): number {
    this.#requests += 1;
    return this.#requests;
  }
}

export const started = (effects: readonly Effect[]): number[] =>
  effects.flatMap((effect) => (effect.kind === "start" ? [effect.worker] : []));

/** `3 SIGTERM`, `3 SIGKILL tree` … */
export const signals = (effects: readonly Effect[]): string[] =>
  effects.flatMap((effect) =>
    effect.kind === "signal" ? [`${effect.worker} ${effect.signal}${effect.target === "tree" ? " tree" : ""}`] : [],
  );

/** The outcome of a request among these effects. */
export const outcomeOf = (effects: readonly Effect[], request: number): Outcome | undefined =>
  effects.flatMap((effect) => (effect.kind === "answer" && effect.request === request ? [effect.outcome] : []))[0];

export const eventsOf = (effects: readonly Effect[]): ServiceEvent[] =>
  effects.flatMap((effect) => (effect.kind === "event" ? [effect.event] : []));

export const exitStatus = (effects: readonly Effect[]): number | undefined =>
  effects.flatMap((effect) => (effect.kind === "exit" ? [effect.status] : []))[0];

export const freeze = <T>(value: T): T => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) freeze(member);
  }
  return value;
};
