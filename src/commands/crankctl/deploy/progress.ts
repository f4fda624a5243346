// The live line of `run -wait` on a terminal, or its lines elsewhere, made from the progress events of the rollout.
import { host } from "#host";
import type { CoreEntry } from "../../../control/messages.ts";
import { describeServiceEvent } from "../../../core/describe.ts";
import type { Timer } from "../../../host/clock.ts";
import type { Output } from "../../output.ts";
import { escapeControls, span } from "../../terminal.ts";

/** The progress of a rollout, by its events. */
export type Progress = {
  readonly generation: number | null;
  readonly wanted: number | null;
  readonly starting: ReadonlySet<number>;
  readonly ready: ReadonlySet<number>;
  readonly stopping: ReadonlySet<number>;
  /** What it waits for. `until`: wall clock, ms. */
  readonly waiting:
    | { readonly kind: "pause"; readonly until: number }
    | { readonly kind: "draining"; readonly limit: number }
    | null;
};

const NO_PROGRESS: Progress = {
  generation: null,
  wanted: null,
  starting: new Set(),
  ready: new Set(),
  stopping: new Set(),
  waiting: null,
};

/** The progress after one more event. */
const progressAfter = (before: Progress, event: CoreEntry): Progress => {
  switch (event.kind) {
    case "rolloutStarted":
      return { ...before, generation: event.generation, wanted: event.instances };
    case "workerStarting":
      return { ...without(before, event.worker), starting: new Set([...before.starting, event.worker]) };
    case "workerReady":
      return { ...without(before, event.worker), ready: new Set([...before.ready, event.worker]) };
    case "workerStopping":
    case "workerMainGone":
      return { ...without(before, event.worker), stopping: new Set([...before.stopping, event.worker]) };
    case "rolloutWaiting":
      return { ...before, waiting: waitingSince(event) };
    case "rolloutGoesOn":
      return { ...before, waiting: null };
    case "workerFailed":
    case "workerGone":
      return without(before, event.worker);
    default:
      return before;
  }
};

const waitingSince = ({ reason, time }: Extract<CoreEntry, { kind: "rolloutWaiting" }>): Progress["waiting"] =>
  reason.kind === "pause" ? { kind: "pause", until: Date.parse(time) + reason.afterMs } : reason;

/** The text during a pause, ms before the next replacement. */
export const pauses = (remainingMs: number): string => `the next one in ${span(remainingMs)}`;

/** The text while too many workers drain. */
export const waitsForDrain = (limit: number): string => `waiting for a drain to end (at most ${limit} at once)`;

/** The live line: `Generation 8: 2 of 4 ready, 1 starting, 1 stopping, 3.2 s`. */
const progressLine = (progress: Progress, elapsedMs: number, wallNow: number): string => {
  const { generation, wanted, starting, ready, stopping, waiting } = progress;
  const parts = [
    `${ready.size}${wanted === null ? "" : ` of ${wanted}`} ready`,
    ...(starting.size > 0 ? [`${starting.size} starting`] : []),
    ...(stopping.size > 0 ? [`${stopping.size} stopping`] : []),
    ...(waiting?.kind === "pause" ? [pauses(Math.max(0, waiting.until - wallNow))] : []),
    ...(waiting?.kind === "draining" ? [waitsForDrain(waiting.limit)] : []),
    span(elapsedMs),
  ];
  return `${generation === null ? "Rolling out" : `Generation ${generation}`}: ${parts.join(", ")}`;
};

const without = (progress: Progress, worker: number): Progress => {
  const rest = (workers: ReadonlySet<number>) => new Set([...workers].filter((other) => other !== worker));
  return {
    ...progress,
    starting: rest(progress.starting),
    ready: rest(progress.ready),
    stopping: rest(progress.stopping),
  };
};

const REDRAW_MS = 1000;
const CLEAR_LINE = "\r\x1b[K";

/** Draws the live line on a terminal, again with every event and every second, until it is ended. */
export class LiveLine {
  readonly #out: Output;
  readonly #startedAt = host.clock.monotonicNow();
  readonly #timer: Timer;
  #progress = NO_PROGRESS;
  #drawn = "";

  /** `out` has to be a terminal. */
  constructor(out: Output) {
    this.#out = out;
    this.#timer = host.clock.every(REDRAW_MS, () => this.#draw());
    this.#draw();
  }

  /** Handles an event; a failure with attempts left stays visible above the line. */
  show(event: CoreEntry): void {
    this.#progress = progressAfter(this.#progress, event);
    if (event.kind === "workerFailed") this.#printAbove(describeServiceEvent(event));
    this.#draw();
  }

  /** Removes the line. */
  end(): void {
    this.#timer.cancel();
    this.#out.writeNow(CLEAR_LINE);
  }

  #printAbove(text: string): void {
    this.#out.writeNow(`${CLEAR_LINE}${escapeControls(text)}\n`);
    this.#drawn = "";
  }

  #draw(): void {
    const { monotonicNow, wallNow } = host.clock;
    const line = progressLine(this.#progress, monotonicNow() - this.#startedAt, wallNow());
    if (line === this.#drawn) return;
    this.#drawn = line;
    this.#out.writeNow(`${CLEAR_LINE}${line}`);
  }
}

/** What changes a worker, and is a line where there is no terminal. */
const SHOWN: ReadonlySet<CoreEntry["kind"]> = new Set([
  "workerStarted",
  "workerReady",
  "workerStopping",
  "workerGone",
  "workerFailed",
]);

/** Prints a line for each worker that changes, until it is ended. */
export class ProgressLines {
  readonly #out: Output;
  #isEnded = false;

  constructor(out: Output) {
    this.#out = out;
  }

  show(event: CoreEntry): void {
    if (!this.#isEnded && SHOWN.has(event.kind)) this.#out.writeNow(`${escapeControls(describeServiceEvent(event))}\n`);
  }

  end(): void {
    this.#isEnded = true;
  }
}
