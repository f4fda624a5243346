// The layout of the picture: the time axis, and the generations in order with their colours.
import type { Held, Story, WorkerStory } from "../story.ts";
import { colourOf } from "./svg.ts";

export const WIDTH = 1280;
export const LEFT = 132;
export const RIGHT = WIDTH - 36;

export type Frame = {
  readonly story: Story;
  readonly from: number;
  readonly to: number;
  /** The position of a time on the time axis. */
  x(at: number): number;
  readonly groups: readonly Group[];
};

/** The workers of one generation. */
export type Group = {
  readonly generation: number;
  readonly label: string;
  readonly isFailed: boolean;
  readonly colour: string;
  readonly workers: readonly WorkerStory[];
};

export const frameOf = (story: Story): Frame => {
  const to = story.endedAt;
  // Events after the end (the shutdown of the service) are not shown.
  const shown = (at: number | null): number | null => (at === null || at > to ? null : at);
  const workers = [...story.workers.values()]
    .sort((a, b) => a.id - b.id)
    .map((worker) => ({ ...worker, stoppingAt: shown(worker.stoppingAt), goneAt: shown(worker.goneAt) }));
  const from = Math.min(...workers.map((worker) => worker.startedAt)) - 200;
  const generations = [...new Set(workers.map((worker) => worker.generation))];
  const groups = generations.map((generation, place): Group => {
    const deploy = story.deploys.find((one) => one.generation === generation);
    const isFailed = deploy !== undefined && deploy.status !== 0;
    return {
      generation,
      label: deploy?.label ?? "version 1",
      isFailed,
      colour: colourOf(place, isFailed),
      workers: workers.filter((worker) => worker.generation === generation),
    };
  });
  return { story, from, to, groups, x: (at) => LEFT + ((RIGHT - LEFT) * (at - from)) / (to - from) };
};

/** How many connections a worker held at a moment. */
export const heldAt = (worker: WorkerStory, at: number): number => {
  if (worker.goneAt !== null && at >= worker.goneAt) return 0;
  return worker.held.findLast((held: Held) => held.at <= at)?.connections ?? 0;
};

/** Moments from one time to another, `stepMs` apart, the last one included. */
export const moments = (from: number, to: number, stepMs: number): readonly number[] => [
  ...Array.from({ length: Math.max(0, Math.ceil((to - from) / stepMs)) }, (_, index) => from + index * stepMs),
  to,
];
