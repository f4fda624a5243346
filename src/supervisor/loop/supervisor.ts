// The supervisor: a hello becomes its store, and every keeper event becomes one batch. All that it holds is in the
// journal when the batch is sent, so it may be killed between any two events.

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
import type { KeeperFacts } from "../state/keeper-facts.ts";
import { restoreStore, saveFormat } from "../state/restore.ts";
import type { Store } from "../state/store.ts";
import { managerDeadline } from "../systemd/link.ts";
import { reportToManager } from "../systemd/service-manager.ts";
import { resumeUpgrade } from "../upgrade/upgrade.ts";
import { acceptCheckDueAt } from "../workers/serving/accepting.ts";
import { reconcileProbes } from "../workers/serving/probe-results.ts";
import { startPostponed } from "../workers/start/starts.ts";
import { advance, publishEvents } from "./apply-effects.ts";
import { takeLast } from "./decision.ts";
import { dispatch } from "./dispatch.ts";

/** All messages of a hello. */
export type Hello = {
  readonly facts: KeeperFacts;
  readonly entries: ReadonlyMap<string, Uint8Array>;
  readonly workers: readonly Extract<Greeting, { kind: "helloWorker" }>[];
  readonly handles: readonly Extract<Greeting, { kind: "helloHandle" }>[];
};

/** The channel to the keeper. */
export type Link = {
  send(commands: readonly SentCommand[]): void;
  /** Resolves when everything has been sent to the keeper. */
  flushed(): Promise<void>;
  /** Calls `act` between two events, as soon as possible. */
  between(act: () => void): void;
};

/** What surrounds a supervisor: the system, and the program that it was called as. */
export type Surroundings = Pick<Store, "platform" | "frontEnd">;

export class Supervisor {
  readonly #store: Store;
  readonly #link: Link;
  #consumed: number;
  /** The tick last requested from the keeper, CLOCK_MONOTONIC ms; 0: none. */
  #tickAt = 0;
  #recording: Promise<void> | null = null;
  /** The rest of the events is about to be published. */
  #isPublishing = false;

  constructor({ platform, frontEnd }: Surroundings, hello: Hello, link: Link) {
    this.#store = restoreStore({ platform, frontEnd, facts: hello.facts }, hello.entries, advance);
    this.#link = link;
    for (const { handle, inode } of hello.handles) this.#store.inodes.set(handle, inode);
    this.#consumed = hello.facts.consumed;
    const workers = allWorkers(this.#store.core.workers);
    completeDecision(this.#store, this.#consumed);
    reconcile(this.#store, hello, workers);
  }

  /** The first batch: the start of a fresh crank, or what an earlier supervisor left undone. */
  async start(): Promise<void> {
    saveFormat(this.#store);
    if (this.#store.facts.fresh) await begin(this.#store);
    if (this.#store.upgrade) resumeUpgrade(this.#store);
    this.#commit();
  }

  /**
   * Handles one event completely: its batch is sent when this resolves. Returns undefined if there is nothing to wait
   * for.
   */
  handle(event: KeeperEvent): Promise<void> | undefined {
    const waiting = dispatch(this.#store, event);
    if (waiting) return waiting.then(() => this.#finish(event));
    this.#finish(event);
    return undefined;
  }

  /** How long to stay without work, ms. */
  get lingerMs(): number {
    return this.#store.settings?.lingerMs ?? 0;
  }

  /** The last event that was consumed. */
  get consumed(): number {
    return this.#consumed;
  }

  /** The write of the record in progress. Resolves when it has ended; the supervisor must not end before. */
  get recording(): Promise<void> | null {
    return this.#recording;
  }

  #finish(event: KeeperEvent): void {
    const store = this.#store;
    const { seq, deliveredAt: now } = event;
    this.#consumed = seq;
    if (event.kind === "tick") this.#tickAt = 0;
    const isAhead = store.last !== null && takeLast(store, store.last, seq, () => this.#send("repeated"));
    if (store.names.size > 0) reconcileNames(store, now, () => redeploy(store, now));
    this.#commit(isAhead ? "signals" : "nothing");
  }

  /**
   * Sends the commands of an event, and in a batch of its own what is published about it, so that no command waits for
   * a message. If the signals were sent ahead and nothing else is to be done, one batch holds both.
   */
  #commit(ahead: "signals" | "nothing" = "nothing"): void {
    const store = this.#store;
    store.events.write(store.batch);
    if (!store.batch.isLast && (ahead === "nothing" || store.batch.hasActions)) this.#send();
    while (startPostponed(store)) {
      store.events.write(store.batch);
      this.#send();
    }
    this.#publish();
    if (this.#recording === null && isRecordWanted(store.core.service)) this.#recording = this.#record();
  }

  /**
   * Publishes events in batches of bounded size. Keeper events that arrived meanwhile are handled before the next
   * batch.
   */
  #publish(): void {
    const store = this.#store;
    if (store.events.hasUnpublished) publishEvents(store);
    while (store.batch.isLast && store.events.hasUnpublished) publishEvents(store);
    reportToManager(store);
    if (!store.batch.isEmpty) this.#send("next");
    if (!store.events.hasUnpublished || this.#isPublishing) return;
    this.#isPublishing = true;
    this.#link.between(() => {
      this.#isPublishing = false;
      this.#publish();
    });
  }

  /**
   * If events are still to be published, the next tick is computed with the last batch: commands do not wait for it.
   */
  #send(tick: "next" | "repeated" = this.#store.events.hasUnpublished ? "repeated" : "next"): void {
    if (tick === "next") this.#tickAt = nextTick(this.#store);
    this.#link.send(this.#store.batch.take(this.#consumed, this.#tickAt));
  }

  /**
   * Writes the record after the batch that wants it is sent, while later events are handled. A hanging disk delays only
   * the requests that wait for the record.
   */
  async #record(): Promise<void> {
    await this.#link.flushed();
    const { platform, settings, core } = this.#store;
    const { history } = core;
    const path = settings?.recordPath ?? null;
    const readers = holdsSecrets(history) ? "owner" : "asBefore";
    const error = path === null ? null : await platform.replaceFile(path, formatRecord(history), readers);
    this.#link.between(() => this.#recorded(history, path, error));
  }

  #recorded(history: readonly GoodSpec[], path: string | null, error: string | null): void {
    this.#recording = null;
    const store = this.#store;
    const { pendingRecord, unrecorded } = store.core.service;
    // Later good deploys are not in it, so it is written again, and only that write counts.
    if (history !== store.core.history) return this.#commit();
    const now = store.platform.monotonicNow();
    // Failed retries are not reported, only the first failure and the next success.
    if (error !== null && (pendingRecord || !unrecorded))
      recordEvent(store, { kind: "recordFailed", path, reason: error }, now);
    if (error === null && unrecorded) recordEvent(store, { kind: "recordRestored", path }, now);
    advance(store, { kind: "recorded", now, error });
    this.#commit();
  }
}

/** The latest time to wake the supervisor, CLOCK_MONOTONIC ms; 0: only when something happens. */
const nextTick = (store: Store): number => {
  const deadline = Math.min(
    nextDeadline(store.core) ?? Number.POSITIVE_INFINITY,
    managerDeadline(store) ?? Number.POSITIVE_INFINITY,
    namesDueAt(store) ?? Number.POSITIVE_INFINITY,
    acceptCheckDueAt(store) ?? Number.POSITIVE_INFINITY,
    store.upgrade?.checkedBy ?? Number.POSITIVE_INFINITY,
  );
  return Number.isFinite(deadline) ? Math.ceil(deadline) : 0;
};

/**
 * Workers that the keeper was told to start but no longer has, and whose end no pending event reports, ended for
 * unknown reasons.
 */
const reconcile = (store: Store, hello: Hello, workers: readonly Worker[]): void => {
  const known = new Set([...hello.workers.map((worker) => worker.worker), ...store.unstarted]);
  const now = store.platform.monotonicNow();
  reconcileProbes(store, known, now);
  reconcileMeasurement(store, known, now);
  for (const worker of workers) {
    if (!known.has(worker.id))
      advance(store, { kind: "workerExited", now, at: now, worker: worker.id, ending: { kind: "unknown" }, tail: "" });
  }
};
