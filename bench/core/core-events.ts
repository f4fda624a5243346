// What one event costs the core, by itself: a program for the engine (and for Bun, beside it) that prints one line of JSON.
// `core.ts` builds and runs it. A step is a pure function, so the same one is taken again and again from the same state.
import { nextDeadline } from "../../src/core/deadline.ts";
import type { CoreEvent } from "../../src/core/model/events.ts";
import type { Spec } from "../../src/core/model/spec.ts";
import { initialState, type State } from "../../src/core/model/state.ts";
import { step } from "../../src/core/step.ts";
import { SPEC } from "../../test/core/spec.ts";

export const FLEETS = [1, 4, 500, 1000] as const;
const BATCHES = 61;
/** Short, so that most batches are not interrupted by other processes. */
const BATCH_MS = 1;

/** The kind of event and the number of workers: µs per event, one sample per batch. */
export type Sample = { readonly event: string; readonly workers: number; readonly micros: readonly number[] };

const LIVENESS: Spec["liveness"] = {
  kind: "probe",
  check: { kind: "tcp" },
  address: null,
  intervalMs: 600_000,
  timeoutMs: 100,
  threshold: 2,
};

/** A service with this many workers, on which events are measured. */
export class Fleet {
  state: State = initialState({ respawn: { baseMs: 0 }, history: [] });
  now = 1000;

  send(event: CoreEvent): void {
    this.state = step(this.state, event).state;
    this.now += 1;
  }

  run(instances: number, changes: Partial<Spec> = {}): void {
    const spec = { ...SPEC, instances, ...changes };
    const { now } = this;
    const asked = { request: null, supersede: false, order: "oneByOne", expectPid: null } as const;
    this.send({ kind: "run", now, wallNow: 1_700_000_000_000, spec, ...asked });
  }

  spawned(worker: number): void {
    this.send({ kind: "spawned", now: this.now, worker, pid: 100 + worker, startTime: this.now });
  }

  ready(worker: number): void {
    this.spawned(worker);
    this.send({ kind: "workerReady", now: this.now, at: this.now, worker });
  }

  /** Makes all workers of a first deploy ready. */
  deploy(instances: number, changes: Partial<Spec> = {}): this {
    this.run(instances, changes);
    for (let worker = 1; worker <= instances; worker++) this.ready(worker);
    this.send({ kind: "recorded", now: this.now, error: null });
    return this;
  }

  get newest(): number {
    return this.state.service.nextWorker - 1;
  }
}

type Trial = { readonly state: State; readonly event: CoreEvent };

const EXIT = { kind: "exit", code: 0 } as const;

/** Each kind of event about one worker, among this many workers. */
const TRIALS: Readonly<Record<string, (workers: number) => Trial>> = {
  "READY in a rollout": (workers) => {
    const fleet = new Fleet().deploy(workers);
    fleet.run(workers);
    fleet.spawned(fleet.newest);
    const { state, now, newest: worker } = fleet;
    return { state, event: { kind: "workerReady", now, at: now, worker } };
  },
  "READY after a restart": (workers) => {
    const fleet = new Fleet().deploy(workers);
    fleet.send({ kind: "workerExited", now: fleet.now, at: fleet.now, worker: 1, ending: EXIT, tail: "" });
    fleet.spawned(fleet.newest);
    const { state, now, newest: worker } = fleet;
    return { state, event: { kind: "workerReady", now, at: now, worker } };
  },
  "exit of a draining worker": (workers) => {
    const fleet = new Fleet().deploy(workers + 1);
    fleet.send({ kind: "scale", now: fleet.now, request: null, change: { by: -1 }, inRollout: "refuse" });
    const { state, now } = fleet;
    return { state, event: { kind: "workerExited", now, at: now, worker: 1, ending: EXIT, tail: "" } };
  },
  "main process moved": (workers) => {
    const { state, now } = new Fleet().deploy(workers);
    return { state, event: { kind: "moved", now, worker: Math.ceil(workers / 2), pid: 7, startTime: 7 } };
  },
  "probe answered": (workers) => {
    const fleet = new Fleet().deploy(workers, { liveness: LIVENESS });
    fleet.now = Math.ceil(nextDeadline(fleet.state) ?? 0);
    fleet.send({ kind: "tick", now: fleet.now });
    const { state, now } = fleet;
    return { state, event: { kind: "probed", now, at: now, worker: 1, probe: 1, verdict: "ok", detail: "" } };
  },
  "timer of one worker": (workers) => {
    const { state } = new Fleet().deploy(workers, { liveness: LIVENESS });
    return { state, event: { kind: "tick", now: Math.ceil(nextDeadline(state) ?? 0) } };
  },
};

/** Takes the step and computes the next deadline, as the supervisor does at each event. */
const take = ({ state, event }: Trial, times: number): void => {
  for (let time = 0; time < times; time++) nextDeadline(step(state, event).state);
};

const timed = (trial: Trial, times: number, now: () => number): number => {
  const begun = now();
  take(trial, times);
  return now() - begun;
};

/** Measures all of it. `now`: a clock, ms. */
export const measureEvents = (now: () => number): readonly Sample[] =>
  Object.entries(TRIALS).flatMap(([event, trialOf]) =>
    FLEETS.map((workers) => {
      const trial = trialOf(workers);
      timed(trial, 20, now);
      const times = Math.max(3, Math.ceil((BATCH_MS * 50) / timed(trial, 50, now)));
      const micros = Array.from({ length: BATCHES }, () => (1000 * timed(trial, times, now)) / times);
      return { event, workers, micros };
    }),
  );
