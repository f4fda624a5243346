// A world around the core: simulated processes, clients and a keeper in virtual time, at random from one seed. Every
// step is checked against the invariants. Many are repeated with a state that went through JSON, as if the supervisor
// had been killed before. At the end all requests must be answered and crank must have ended.

import { nextDeadline } from "../../../src/core/deadline.ts";
import type { Effect, Outcome } from "../../../src/core/model/effects.ts";
import type { CoreEvent, Run } from "../../../src/core/model/events.ts";
import type { GoodSpec } from "../../../src/core/model/spec.ts";
import { CRANK_POLICY, initialState, type Policy, type State } from "../../../src/core/model/state.ts";
import type { Eviction } from "../../../src/core/model/worker.ts";
import { allWorkers, countWorkers, findWorker } from "../../../src/core/model/workers.ts";
import { isReplacing } from "../../../src/core/pool/eviction.ts";
import { recyclingDueAt } from "../../../src/core/pool/recycling.ts";
import { step } from "../../../src/core/step.ts";
import { respawns } from "../../../src/core/worker/backoff.ts";
import { survivesKill, violations } from "../../simulator/invariants.ts";
import { randomSpec } from "../behaviour.ts";
import { Random } from "../random.ts";
import { Timeline } from "../timeline.ts";
import { CoreProcesses } from "./processes.ts";

/** Longer than any time in a spec, and than the longest pause before a start. */
const LONGEST_DEADLINE_MS = 40_000;
const MAX_STEPS = 20_000;
const WALL = 1_700_000_000_000;

/** One step: the event and its effects. */
type Traced = { readonly event: CoreEvent; readonly effects: readonly Effect[] };
type Life = { readonly trace: readonly Traced[] };

/** An invariant was violated. */
export class Broken extends Error {
  override name = "Broken";
  readonly trace: readonly Traced[];

  constructor(message: string, trace: readonly Traced[]) {
    super(message);
    this.trace = trace;
  }
}

/** Runs the life of a seed. Throws Broken. */
export const simulate = (seed: number): Life => new World(seed).live();

/** One line per step. */
export const describeTrace = (trace: readonly Traced[]): string =>
  trace.map(({ event, effects }) => `${event.now} ${JSON.stringify(event)} → ${JSON.stringify(effects)}`).join("\n");

const randomPolicy = (random: Random): Policy => {
  if (random.chance(0.5)) return CRANK_POLICY;
  const manner = {
    failureStatus: random.pick([0, 1]),
    restores: random.chance(0.5),
    // Not `endless`: with workers that never become ready it does not come to rest. properties.test.ts covers it.
    attempts: random.pick(["rollout", "place"] as const),
    failSteps: random.pick([null, FAIL_STEPS]),
    whenEmpty: random.pick(["stay", "end"] as const),
  };
  return { ...manner, pace: manner.failureStatus === 0 ? { maxUnready: 2 } : null };
};
const FAIL_STEPS = [
  { signal: "SIGTERM", afterMs: 0 },
  { signal: "SIGKILL", afterMs: 300 },
];

const isRoutine = ({ kind }: CoreEvent, effects: readonly Effect[]): boolean =>
  (kind === "tick" || kind === "probed") && effects.every((effect) => effect.kind === "probe");

class World {
  readonly #random: Random;
  readonly #timeline = new Timeline();
  /** The answers to probes. */
  readonly #answers = new Timeline();
  readonly #processes: CoreProcesses;
  /** Requests that wait for an answer, from the clients' view. */
  readonly #waiting = new Set<number>();
  readonly #trace: Traced[] = [];
  readonly #queue: CoreEvent[] = [];
  #state: State;
  #now = 1000;
  #lastNewsAt = 1000;
  /** No supervisor runs until then; events are queued meanwhile. */
  #backAt = 0;
  #requests = 0;
  #pids = 100;
  #isCalm = false;
  #exitStatus: number | null = null;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#processes = new CoreProcesses({
      random: this.#random,
      timeline: this.#timeline,
      answers: this.#answers,
      now: () => this.#now,
      isCalm: () => this.#isCalm,
      generationOf: (worker) => findWorker(this.#state.workers, worker)?.generation ?? 0,
      nextPid: () => {
        this.#pids += 1;
        return this.#pids;
      },
      push: (event) => void this.#queue.push(event),
      tell: (afterMs, event) => this.#tell(afterMs, event),
      fail: (message) => this.#fail(message),
    });
    const pools = seed % 3 === 0 ? { pools: true as const } : {};
    const respawn = this.#random.chance(0.6) ? { baseMs: this.#random.pick([0, 100, 1000]), ...pools } : null;
    const history: GoodSpec[] = this.#random.chance(0.5)
      ? [{ generation: 7, at: WALL, spec: randomSpec(this.#random) }]
      : [];
    this.#state = initialState({ respawn, history, manner: randomPolicy(this.#random) });
  }

  live(): Life {
    const good = this.#state.history.at(-1);
    if (good) this.#queue.push(this.#run(null, good.spec));
    for (let request = this.#random.between(2, 16); request > 0; request--) {
      this.#timeline.plan(this.#now + this.#random.between(0, 16_000), () => this.#ask());
    }
    this.#timeline.plan(this.#now + 20_000, () => {
      this.#isCalm = true;
      this.#endRecycling();
    });
    this.#goOn();
    this.#expectRest();
    this.#queue.push({ kind: "shutdown", now: 0, request: this.#newRequest(), steps: null });
    this.#goOn();
    this.#expectEnd();
    return { trace: this.#trace };
  }

  /** Runs until nothing more happens. As in the keeper, a tick comes only when no other event is waiting. */
  #goOn(): void {
    for (;;) {
      const isBack = this.#backAt <= this.#now;
      const event = isBack ? this.#queue.shift() : undefined;
      const deadline = nextDeadline(this.#state);
      if (event) this.#deliver({ ...event, now: this.#now });
      else if (isBack && deadline !== null && deadline <= this.#now) this.#deliver({ kind: "tick", now: this.#now });
      else {
        const wake = isBack ? (deadline ?? Number.POSITIVE_INFINITY) : this.#backAt;
        const next = Math.min(this.#timeline.next, this.#answers.next, wake);
        if (next === Number.POSITIVE_INFINITY || this.#isQuiet()) return;
        this.#now = Math.max(this.#now, next);
        if (this.#timeline.next <= this.#now) this.#timeline.happen();
        else if (this.#answers.next <= this.#now) this.#answers.happen();
      }
    }
  }

  /** Workers become old for ever, so the calm phase deploys without limits. */
  #endRecycling(): void {
    // Requests that came while no supervisor ran are handled later.
    for (const [index, event] of this.#queue.entries())
      if (event.kind === "run")
        this.#queue[index] = { ...event, spec: { ...event.spec, maxAgeMs: null, maxMemory: null } };
    const specs = Object.values(this.#state.generations).map(({ spec }) => spec);
    const limited = specs.find(({ maxAgeMs, maxMemory }) => maxAgeMs !== null || maxMemory !== null);
    if (!limited) return;
    const spec = { ...limited, maxAgeMs: null, maxMemory: null, rolloutDeadlineMs: null, startTimeoutMs: null };
    this.#queue.push({ ...this.#run(null, spec), supersede: true, expectPid: null });
  }

  /** Liveness probes never end, so it is quiet when nothing else is planned and every other deadline has passed. */
  #isQuiet(): boolean {
    const isPlanned = this.#timeline.next !== Number.POSITIVE_INFINITY;
    return this.#isCalm && !isPlanned && this.#now > this.#lastNewsAt + LONGEST_DEADLINE_MS;
  }

  #deliver(event: CoreEvent): void {
    const before = this.#state;
    const { state: after, effects } = step(before, event);
    this.#trace.push({ event, effects });
    if (!isRoutine(event, effects)) this.#lastNewsAt = this.#now;
    const transition = { before, event, after, effects };
    const wrong = violations(transition);
    if (wrong.length > 0) this.#fail(wrong.join("; "));
    const lost = this.#random.chance(0.2) ? survivesKill(transition) : null;
    if (lost !== null) this.#fail(lost);
    const deadline = nextDeadline(after);
    // What waited for the end that this tick has brought begins with the next one.
    const isLetGo = before.service.rollout !== null && after.service.queuedReload !== null;
    const isRecycling = recyclingDueAt(before) === null && recyclingDueAt(after) === deadline;
    if (event.kind === "tick" && !isLetGo && !isRecycling && deadline !== null && deadline <= event.now)
      this.#fail("the tick left a deadline due");
    this.#state = after;
    for (const effect of effects) this.#applyEffect(effect);
    if (this.#trace.length > MAX_STEPS) this.#fail("it does not come to rest");
    if (!this.#isCalm) this.#disturb();
  }

  /** The worst moment for an event is right after another. */
  #disturb(): void {
    if (this.#random.chance(0.02)) this.#backAt = this.#now + this.#random.between(1, 3000);
    if (this.#random.chance(0.03)) this.#ask();
    if (this.#random.chance(0.02)) this.#evict();
    if (this.#random.chance(0.01)) this.#queue.push({ kind: "workerReady", now: 0, at: this.#now, worker: 999 });
  }

  #evict(): void {
    const worker = this.#random.pick([999, ...allWorkers(this.#state.workers).map(({ id }) => id)]);
    const reason = this.#random.pick<Eviction>([
      { kind: "notAlive", detail: "does not answer" },
      { kind: "watchdog", afterMs: 100 },
    ]);
    this.#queue.push({ kind: "evict", now: 0, worker, reason });
  }

  #ask(): void {
    if (this.#isCalm) return;
    const kind = this.#random.pick(["run", "run", "run", "scale", "scale", "reload", "shutdown"]);
    if (kind === "run") this.#queue.push(this.#run(this.#newRequest(), randomSpec(this.#random)));
    else if (kind === "scale")
      this.#queue.push({
        kind,
        now: 0,
        request: this.#newRequest(),
        change: this.#change(),
        inRollout: this.#random.pick(["refuse", "apply"]),
      });
    else if (kind === "shutdown" && this.#random.chance(0.07)) {
      const steps = this.#random.chance(0.3) ? [{ signal: "SIGKILL", afterMs: 0 }] : null;
      this.#queue.push({ kind, now: 0, request: this.#random.chance(0.5) ? this.#newRequest() : null, steps });
    } else if (kind === "reload") this.#queue.push({ kind, now: 0, wallNow: WALL });
  }

  #change(): { readonly to: number } | { readonly by: number } {
    return this.#random.chance(0.5) ? { to: this.#random.between(-1, 6) } : { by: this.#random.between(-2, 2) };
  }

  #run(request: number | null, spec: GoodSpec["spec"]): Run {
    const expectPid = this.#random.chance(0.1) ? this.#pids : null;
    const order = spec.instances === 3 ? "fleet" : "oneByOne";
    return { kind: "run", now: 0, request, wallNow: WALL, spec, supersede: this.#random.chance(0.3), order, expectPid };
  }

  #newRequest(): number {
    this.#requests += 1;
    this.#waiting.add(this.#requests);
    return this.#requests;
  }

  #applyEffect(effect: Effect): void {
    if (this.#exitStatus !== null && effect.kind !== "answer") this.#fail(`${effect.kind} after the exit`);
    switch (effect.kind) {
      case "start":
        return this.#processes.start(effect.worker);
      case "signal":
        return this.#processes.signal(effect.worker, effect.signal);
      case "probe":
        return this.#processes.probe(effect.worker, effect.probe);
      case "measure":
        return this.#measure();
      case "watch":
        return this.#processes.watch(effect.worker, effect.periodMs);
      case "record":
        return this.#tell(this.#random.between(0, 40), { kind: "recorded", now: 0, error: this.#recordError() });
      case "answer":
        if (!this.#waiting.delete(effect.request)) this.#fail(`request ${effect.request} was answered twice`);
        return this.#expectTail(effect.outcome);
      case "exit":
        this.#exitStatus = effect.status;
        if (this.#processes.areAlive) this.#fail("it left workers behind");
        return;
    }
  }

  /** The answer to a failed deploy holds its worker's last output, unless another deploy or the end comes first. */
  #expectTail(outcome: Outcome): void {
    if (outcome.kind !== "rolledBack" || !("tail" in outcome.failure) || outcome.failure.tail !== "") return;
    const { event } = this.#trace.at(-1) ?? {};
    const isCutShort = event?.kind === "shutdown" || (event?.kind === "run" && event.supersede);
    if (!isCutShort && outcome.pid !== null) this.#fail("a failure was answered for without the last lines");
  }

  /** Some measurements end without a result. */
  #measure(): void {
    if (this.#random.chance(0.2)) return;
    const ids = allWorkers(this.#state.workers).map(({ id }) => id);
    const sizes = ids.map((worker) => ({ worker, bytes: this.#random.between(0, 1100) }));
    this.#tell(this.#random.between(1, 400), { kind: "measured", now: 0, sizes });
  }

  #recordError(): string | null {
    return this.#random.chance(0.1) ? "No space left on device" : null;
  }

  /** The keeper receives the event after `afterMs`. */
  #tell(afterMs: number, event: CoreEvent): void {
    this.#timeline.plan(this.#now + afterMs, () => {
      this.#queue.push("at" in event ? { ...event, at: this.#now } : event);
    });
  }

  /** With no more requests and failures, rollouts must have ended and all wanted workers must run. */
  #expectRest(): void {
    const { service, workers, generations } = this.#state;
    // If a rollback restores nothing, the workers may be of both generations.
    const isMixed = service.rollout?.rollingBack?.told === true && !service.manner.restores;
    if (service.rollout && !isMixed) this.#fail("a rollout did not end");
    if (service.pendingRecord) this.#fail("a record did not end");
    if (this.#waiting.size > 0) this.#fail(`nobody answered ${[...this.#waiting].join()}`);
    const wanted = service.current === null ? undefined : generations[service.current];
    if (service.phase.kind !== "running" || !wanted) return;
    if (!service.rollout && isReplacing(this.#state)) this.#fail("a dismissed worker was not replaced");
    if (!respawns(service, wanted)) return;
    const ready = allWorkers(workers).filter((worker) => worker.kind === "ready" && worker.availableAt === null);
    if (ready.length !== wanted.instances) this.#fail(`${ready.length} of ${wanted.instances} workers are there`);
  }

  #expectEnd(): void {
    if (this.#exitStatus === null) this.#fail("it was told to shut down, and it is still there");
    if (this.#waiting.size > 0) this.#fail(`nobody answered ${[...this.#waiting].join()}`);
    if (countWorkers(this.#state.workers) > 0) this.#fail("it ended before its workers");
  }

  #fail(message: string): never {
    throw new Broken(message, this.#trace);
  }
}
