// The supervisor: a hello becomes its memory, every keeper event becomes one batch. It holds nothing that is not in the
// journal when the batch is out, so it may be killed between any two events.

import { nextDeadline } from "../../core/deadline.ts";
import type { GoodSpec } from "../../core/model/spec.ts";
import type { Worker } from "../../core/model/worker.ts";
import { allWorkers } from "../../core/model/workers.ts";
import { isRecordWanted } from "../../core/recording.ts";
import type { Greeting, KeeperEvent, SentCommand } from "../../keeper/protocol.ts";
import { formatRecord, holdsSecrets } from "../adoption/record.ts";
import { reconcileMeasurement } from "../control/measurement-end.ts";
import { redeploy } from "../control/requests.ts";
import { recordEvent } from "../events/supervisor-event.ts";
import { namesDueAt, reconcileNames } from "../sockets/names.ts";
import { begin } from "../startup/startup.ts";
import { completeDecision } from "../state/decision.ts";
import type { KeeperFacts } from "../state/facts.ts";
import { rememberFormat, restoreStore } from "../state/restore.ts";
import type { Memory } from "../state/store.ts";
import { managerDeadline } from "../systemd/link.ts";
import { tellServiceManager } from "../systemd/tell-service-manager.ts";
import { resumeUpgrade } from "../upgrade/upgrade.ts";
import { lookDueAt } from "../workers/serving/accepting.ts";
import { reconcileProbes } from "../workers/serving/probe-results.ts";
import { startPostponed } from "../workers/start/starts.ts";
import { advance, publishEvents } from "./apply-effects.ts";
import { takeLast } from "./decision.ts";
import { dispatch } from "./dispatch.ts";

/** All that a hello says, collected. */
export type Hello = {
  readonly facts: KeeperFacts;
  readonly entries: ReadonlyMap<string, Uint8Array>;
  readonly workers: readonly Extract<Greeting, { kind: "helloWorker" }>[];
  readonly handles: readonly Extract<Greeting, { kind: "helloHandle" }>[];
};

/** The way to the keeper. */
export type Link = {
  send(commands: readonly SentCommand[]): void;
  /** Resolves when the keeper has been sent all of it. */
  flushed(): Promise<void>;
  /** Has something done between two events, as soon as it may be. */
  between(act: () => void): void;
};

/** Where a supervisor lives: the system beneath it, and the program that it was called as. */
export type Surroundings = Pick<Memory, "platform" | "frontEnd">;

export class Supervisor {
  readonly #memory: Memory;
  readonly #link: Link;
  #consumed: number;
  /** The tick that the keeper was asked for last, CLOCK_MONOTONIC ms; 0: none. */
  #tickAt = 0;
  #recording: Promise<void> | null = null;
  /** The rest of the events is published in a moment. */
  #isPublishing = false;

  constructor({ platform, frontEnd }: Surroundings, hello: Hello, link: Link) {
    this.#memory = restoreStore({ platform, frontEnd, facts: hello.facts }, hello.entries, advance);
    this.#link = link;
    for (const { handle, inode } of hello.handles) this.#memory.inodes.set(handle, inode);
    this.#consumed = hello.facts.consumed;
    const workers = allWorkers(this.#memory.core.workers);
    completeDecision(this.#memory, this.#consumed);
    reconcile(this.#memory, hello, workers);
  }

  /** The first batch: on a fresh crank its start, later whatever was left undone. */
  async start(): Promise<void> {
    rememberFormat(this.#memory);
    if (this.#memory.facts.fresh) await begin(this.#memory);
    if (this.#memory.upgrade) resumeUpgrade(this.#memory);
    this.#commit();
  }

  /** Takes one event to its end: its batch is on its way when this resolves. Returns nothing to wait for where there is nothing. */
  handle(event: KeeperEvent): Promise<void> | undefined {
    const waiting = dispatch(this.#memory, event);
    if (waiting) return waiting.then(() => this.#finish(event));
    this.#finish(event);
    return undefined;
  }

  /** How long to stay with nothing to do, ms. */
  get lingerMs(): number {
    return this.#memory.settings?.lingerMs ?? 0;
  }

  /** The last event that was consumed. */
  get consumed(): number {
    return this.#consumed;
  }

  /** The record that is being written; resolves when it is known how that went. Nobody may leave before. */
  get recording(): Promise<void> | null {
    return this.#recording;
  }

  #finish(event: KeeperEvent): void {
    const memory = this.#memory;
    const { seq, deliveredAt: now } = event;
    this.#consumed = seq;
    if (event.kind === "tick") this.#tickAt = 0;
    const isAhead = memory.last !== null && takeLast(memory, memory.last, seq, () => this.#send("repeated"));
    if (memory.names.size > 0) reconcileNames(memory, now, () => redeploy(memory, now));
    this.#commit(isAhead ? "signals" : "nothing");
  }

  /**
   * Sends what the event led to, and in a batch of its own what there is to tell of it: no deed waits for words. Where the signals
   * were sent `ahead`, and nothing else is to be done, one batch holds both.
   */
  #commit(ahead: "signals" | "nothing" = "nothing"): void {
    const memory = this.#memory;
    memory.events.write(memory.batch);
    if (!memory.batch.isLast && (ahead === "nothing" || memory.batch.hasDeeds)) this.#send();
    while (startPostponed(memory)) {
      memory.events.write(memory.batch);
      this.#send();
    }
    this.#publish();
    if (this.#recording === null && isRecordWanted(memory.core.service)) this.#recording = this.#record();
  }

  /** Publishes events, in batches of bounded size; what has come from the keeper meanwhile goes before the next one. */
  #publish(): void {
    const memory = this.#memory;
    if (memory.events.hasUnpublished) publishEvents(memory);
    while (memory.batch.isLast && memory.events.hasUnpublished) publishEvents(memory);
    tellServiceManager(memory);
    if (!memory.batch.isEmpty) this.#send("next");
    if (!memory.events.hasUnpublished || this.#isPublishing) return;
    this.#isPublishing = true;
    this.#link.between(() => {
      this.#isPublishing = false;
      this.#publish();
    });
  }

  /** Where words follow, the next tick goes with them: no deed waits until it is known when that is. */
  #send(tick: "next" | "repeated" = this.#memory.events.hasUnpublished ? "repeated" : "next"): void {
    if (tick === "next") this.#tickAt = nextTick(this.#memory);
    this.#link.send(this.#memory.batch.take(this.#consumed, this.#tickAt));
  }

  /**
   * Writes the record after the batch that wants it is out, and beside the events that follow: a disk that hangs holds up
   * who waits for the record, and nobody else.
   */
  async #record(): Promise<void> {
    await this.#link.flushed();
    const { platform, settings, core } = this.#memory;
    const { history } = core;
    const path = settings?.recordPath ?? null;
    const readers = holdsSecrets(history) ? "owner" : "asBefore";
    const error = path === null ? null : await platform.replaceFile(path, formatRecord(history), readers);
    this.#link.between(() => this.#recorded(history, path, error));
  }

  #recorded(history: readonly GoodSpec[], path: string | null, error: string | null): void {
    this.#recording = null;
    const memory = this.#memory;
    const { pendingRecord, unrecorded } = memory.core.service;
    // What has been good meanwhile is not in it: it is written once more, and only that counts.
    if (history !== memory.core.history) return this.#commit();
    const now = memory.platform.monotonicNow();
    // Of the attempts that follow, nothing is said until one goes well.
    if (error !== null && (pendingRecord || !unrecorded))
      recordEvent(memory, { kind: "recordFailed", path, reason: error }, now);
    if (error === null && unrecorded) recordEvent(memory, { kind: "recordRestored", path }, now);
    advance(memory, { kind: "recorded", now, error });
    this.#commit();
  }
}

/** When the supervisor is to be woken at the latest, CLOCK_MONOTONIC ms; 0: only when something happens. */
const nextTick = (memory: Memory): number => {
  const deadline = Math.min(
    nextDeadline(memory.core) ?? Number.POSITIVE_INFINITY,
    managerDeadline(memory) ?? Number.POSITIVE_INFINITY,
    namesDueAt(memory) ?? Number.POSITIVE_INFINITY,
    lookDueAt(memory) ?? Number.POSITIVE_INFINITY,
    memory.upgrade?.checkedBy ?? Number.POSITIVE_INFINITY,
  );
  return Number.isFinite(deadline) ? Math.ceil(deadline) : 0;
};

/** Those of the workers that the keeper was told of that it does not have any more, and of whose end no event is on its way, are gone for unknown reasons. */
const reconcile = (memory: Memory, hello: Hello, workers: readonly Worker[]): void => {
  const known = new Set([...hello.workers.map((worker) => worker.worker), ...memory.unstarted]);
  const now = memory.platform.monotonicNow();
  reconcileProbes(memory, known, now);
  reconcileMeasurement(memory, known, now);
  for (const worker of workers) {
    if (!known.has(worker.id))
      advance(memory, { kind: "workerExited", now, at: now, worker: worker.id, ending: { kind: "unknown" }, tail: "" });
  }
};
