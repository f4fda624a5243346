// The panels above and below the lanes: all connections by generation, answered requests, deploys, kills, the time axis.
import type { Sample } from "../story.ts";
import { harmed } from "../story.ts";
import { type Frame, heldAt, LEFT, moments, RIGHT } from "./frame.ts";
import { ALARM, area, box, element, FAINT, GOOD, INK, KILL, line, type Point, SOFT, text, titled } from "./svg.ts";

const STEP_MS = 100;
const BIN_MS = 500;

type Room = { readonly top: number; readonly bottom: number };

/** Connections by generation, one on top of the other. */
export const drawConnections = (frame: Frame, { top, bottom }: Room): string => {
  const times = moments(frame.from, frame.to, STEP_MS);
  const sums = times.map(() => 0);
  const layers = frame.groups.map(({ workers }) =>
    times.map((at, index) => {
      const lower = sums[index] ?? 0;
      const upper = lower + workers.reduce((sum, worker) => sum + heldAt(worker, at), 0);
      sums[index] = upper;
      return { lower, upper };
    }),
  );
  const { end, ticks } = scaleTo(Math.max(...sums));
  const y = (count: number): number => bottom - ((bottom - top) * count) / end;
  const drawn = frame.groups.map(({ colour, label }, place) => {
    const edge = (side: "lower" | "upper"): readonly Point[] =>
      (layers[place] ?? []).map((layer, index) => ({ x: frame.x(times[index] ?? 0), y: y(layer[side]) }));
    return titled(label, area(edge("upper"), edge("lower"), { fill: colour, "fill-opacity": 0.78 }));
  });
  const grid = ticks.map((count) => scaleLine(y(count), count));
  return grid.join("") + drawn.join("") + caption(top, ["connections", "held, by version"]);
};

/** Requests with one connection each, answered in each half second; refused, reset or cut ones in red. */
export const drawRequests = (frame: Frame, { top, bottom }: Room): string => {
  const bins = moments(frame.from, frame.to, BIN_MS)
    .slice(0, -1)
    .map((from) => {
      const until = Math.min(from + BIN_MS, frame.to);
      const before = countsAt(frame, from);
      const after = countsAt(frame, until);
      const rate = (later: number, earlier: number): number => ((later - earlier) * 1000) / (until - from);
      return {
        from,
        answered: rate(after?.counts.answered ?? 0, before?.counts.answered ?? 0),
        harmed: after && before ? harmed(after.counts) - harmed(before.counts) : 0,
      };
    });
  // A last bin that has hardly begun is misleading.
  const full = bins.filter((bin) => frame.to - bin.from > BIN_MS / 2);
  const { end: most, ticks } = scaleTo(Math.max(...full.map((bin) => bin.answered)));
  const bars = full.map((bin) => {
    const x = frame.x(bin.from);
    const end = frame.x(Math.min(bin.from + BIN_MS, frame.to)) - 1.5;
    const height = ((bottom - top) * bin.answered) / most;
    const bar = box({ x, y: bottom - height }, { x: end, y: bottom }, { fill: "#8c959f" });
    return bin.harmed === 0 ? bar : bar + box({ x, y: top }, { x: end, y: bottom }, { fill: ALARM });
  });
  const highest = ticks.at(-1) ?? 0;
  return (
    [0, highest].map((count) => scaleLine(bottom - ((bottom - top) * count) / most, count)).join("") +
    bars.join("") +
    caption(top, ["new requests", "answered a second"])
  );
};

/** Each deploy as a bar from its start to its answer, with a line through the picture where it begins. */
export const drawDeploys = (frame: Frame, at: number, bottom: number): string =>
  frame.story.deploys
    .map((deploy) => {
      const colour = deploy.status === 0 ? INK : ALARM;
      const from = frame.x(deploy.startedAt);
      const to = frame.x(deploy.endedAt);
      const seconds = `${((deploy.endedAt - deploy.startedAt) / 1000).toFixed(1)} s`;
      const words = deploy.status === 0 ? `complete in ${seconds}` : `rolled back in ${seconds}`;
      const start = { stroke: colour, "stroke-width": deploy.status === 0 ? 1 : 1.5, "stroke-opacity": 0.5 };
      return [
        box({ x: from, y: at }, { x: to, y: bottom }, { fill: colour, "fill-opacity": 0.045 }),
        line({ x: from, y: at - 28 }, { x: from, y: bottom }, start),
        box({ x: from, y: at - 5 }, { x: to, y: at }, { fill: colour }),
        text({ x: from + 6, y: at - 26 }, `deploy ${deploy.number}: ${deploy.label}`, {
          "font-weight": 600,
          fill: colour,
        }),
        text({ x: from + 6, y: at - 11 }, words, { fill: colour, "font-size": 11.5 }),
      ].join("");
    })
    .join("");

/** Where a supervisor was killed: a bolt, and a line through the picture. */
export const drawKills = (frame: Frame, at: number, bottom: number): string =>
  frame.story.kills
    .map((kill) => {
      const x = frame.x(kill.at);
      const bolt = `M${x + 2} ${at - 9}l-7 11h5l-3 9l9 -12h-5l4 -8z`;
      return titled(
        `supervisor ${kill.pid} killed with SIGKILL`,
        line({ x, y: at + 12 }, { x, y: bottom }, { stroke: KILL, "stroke-width": 1.4, "stroke-dasharray": "4 3" }) +
          element("path", { d: bolt, fill: KILL }) +
          text({ x: x + 10, y: at + 5 }, "supervisor killed", { fill: KILL, "font-size": 11.5, "font-weight": 600 }),
      );
    })
    .join("");

/** Seconds since the start. */
export const drawAxis = (frame: Frame, top: number, bottom: number): string => {
  const seconds = Math.floor((frame.to - frame.from) / 1000);
  const step = seconds > 30 ? 5 : 2;
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => {
    const x = frame.x(frame.from + index * step * 1000);
    return (
      line({ x, y: top }, { x, y: bottom }, { stroke: FAINT }) +
      text({ x, y: bottom + 16 }, `${index * step} s`, { fill: SOFT, "text-anchor": "middle", "font-size": 11 })
    );
  }).join("");
};

/** The title, and the sums to the right of it. */
export const drawHead = (frame: Frame, words: { readonly title: string; readonly subtitle: string }): string => {
  const last = frame.story.samples.at(-1)?.counts;
  const isGood = last !== undefined && harmed(last) === 0;
  const sums = `${last?.refused ?? 0} refused · ${last?.reset ?? 0} reset · ${last?.cut ?? 0} cut`;
  const right = { "text-anchor": "end", "font-size": 22, "font-weight": 700, fill: isGood ? GOOD : ALARM };
  const counted = `${(last?.answered ?? 0).toLocaleString("en")} requests and ${(last?.messages ?? 0).toLocaleString("en")} messages answered, ${(last?.moved ?? 0).toLocaleString("en")} moves to a new worker`;
  return [
    text({ x: 36, y: 44 }, words.title, { "font-size": 22, "font-weight": 700 }),
    text({ x: 36, y: 66 }, words.subtitle, { fill: SOFT, "font-size": 13 }),
    text({ x: RIGHT, y: 44 }, sums, right),
    text({ x: RIGHT, y: 66 }, counted, { fill: SOFT, "font-size": 13, "text-anchor": "end" }),
  ].join("");
};

const countsAt = ({ story }: Frame, at: number): Sample | undefined =>
  story.samples.findLast((sample) => sample.at <= at);

const scaleLine = (y: number, count: number): string =>
  line({ x: LEFT, y }, { x: RIGHT, y }, { stroke: FAINT }) +
  text({ x: LEFT - 8, y: y + 4 }, String(count), { fill: SOFT, "font-size": 10.5, "text-anchor": "end" });

const caption = (top: number, lines: readonly string[]): string =>
  lines
    .map((words, index) => text({ x: 14, y: top + 24 + index * 14 }, words, { fill: SOFT, "font-size": 11 }))
    .join("");

/** A scale from 0 with a few round numbers on it, and its end, which is at least `most`. */
const scaleTo = (most: number): { readonly end: number; readonly ticks: readonly number[] } => {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, most)));
  const step = [power / 4, power / 2, power].find((one) => most / one <= 3) ?? power * 2;
  const ticks = Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
  return { end: Math.max(most * 1.02, ticks.at(-1) ?? 1), ticks };
};
