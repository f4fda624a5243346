// One lane per worker, in groups by generation: when it started, served and drained, and its connections.
import type { WorkerStory } from "../story.ts";
import { type Frame, type Group, heldAt, LEFT, moments, RIGHT } from "./frame.ts";
import { ALARM, area, box, element, FAINT, INK, line, PAPER, SOFT, text, titled } from "./svg.ts";

const LANE = 26;
const LANE_GAP = 3;
const GROUP_GAP = 12;
const STEP_MS = 100;

/** The total height of all lanes. */
export const lanesHeight = ({ groups }: Frame): number =>
  groups.reduce((sum, group) => sum + group.workers.length * (LANE + LANE_GAP) + GROUP_GAP, 0);

export const drawLanes = (frame: Frame, top: number): string => {
  const most = Math.max(1, ...frame.groups.flatMap(({ workers }) => workers.flatMap(peakOf)));
  let y = top;
  const drawn = frame.groups.map((group) => {
    const lanes = group.workers.map((worker, place) =>
      drawLane(frame, group, worker, y + place * (LANE + LANE_GAP), most),
    );
    const height = group.workers.length * (LANE + LANE_GAP) - LANE_GAP;
    const marked = markGroup(group, y, height);
    y += height + LANE_GAP + GROUP_GAP;
    return marked + lanes.join("");
  });
  return drawn.join("\n");
};

/** The patterns that lanes are filled with. */
export const lanePatterns = ({ groups }: Frame): string =>
  groups
    .map(({ generation, colour }) => {
      const stripe = element("path", { d: "M-2 2L2 -2M0 8L8 0M6 10L10 6", stroke: colour, "stroke-width": 1.6 });
      const size = { width: 8, height: 8, patternUnits: "userSpaceOnUse" };
      return element("pattern", { id: `draining${generation}`, ...size }, stripe);
    })
    .join("");

const markGroup = ({ label, colour, isFailed }: Group, y: number, height: number): string => {
  const middle = y + height / 2;
  const bar = box({ x: LEFT - 12, y }, { x: LEFT - 8, y: y + height }, { fill: colour, rx: 2 });
  const name = { "text-anchor": "end", "font-weight": 600, fill: isFailed ? ALARM : INK };
  return bar + text({ x: LEFT - 20, y: middle + 4 }, label, name);
};

const drawLane = (frame: Frame, group: Group, worker: WorkerStory, y: number, most: number): string => {
  const { x } = frame;
  const bottom = y + LANE;
  const end = worker.goneAt ?? frame.to;
  const readyAt = worker.readyAt ?? end;
  const served = Math.min(worker.stoppingAt ?? end, end);
  const base = line({ x: LEFT, y: bottom - 0.5 }, { x: RIGHT, y: bottom - 0.5 }, { stroke: FAINT });
  const outline = { stroke: group.colour, "stroke-opacity": 0.55 };
  const start = box(
    { x: x(worker.startedAt), y: bottom - 9 },
    { x: x(readyAt), y: bottom },
    { ...outline, fill: PAPER, "stroke-dasharray": "2 2" },
  );
  const parts = [base, start];
  if (worker.readyAt !== null) {
    const light = { fill: group.colour, "fill-opacity": 0.13 };
    parts.push(box({ x: x(readyAt), y }, { x: x(served), y: bottom }, light));
    const stripes = { fill: `url(#draining${group.generation})`, "fill-opacity": 0.3 };
    if (served < end) parts.push(box({ x: x(served), y }, { x: x(end), y: bottom }, stripes));
    parts.push(drawConnections(frame, group, worker, { y, bottom, most, until: end }));
    if (worker.stoppingAt !== null) {
      const stop = { stroke: group.colour, "stroke-width": 2 };
      parts.push(line({ x: x(served), y }, { x: x(served), y: bottom }, stop));
    }
    parts.push(text({ x: x(readyAt) + 5, y: y + 11 }, peakWords(worker), { "font-size": 10, fill: INK }));
  }
  if (worker.failure !== null) parts.push(markFailure({ x: x(end), y: y + LANE / 2 }, worker.failure));
  return titled(describe(worker, frame), parts.join(""));
};

type Room = { readonly y: number; readonly bottom: number; readonly most: number; readonly until: number };

const drawConnections = ({ x }: Frame, group: Group, worker: WorkerStory, room: Room): string => {
  const times = moments(worker.readyAt ?? room.until, room.until, STEP_MS);
  const upper = times.map((at) => {
    const height = (heldAt(worker, Math.min(at, room.until - 1)) / room.most) * (room.bottom - room.y - 1);
    return { x: x(at), y: room.bottom - height };
  });
  const lower = upper.map((point) => ({ x: point.x, y: room.bottom }));
  return area(upper, lower, { fill: group.colour, "fill-opacity": 0.75 });
};

const markFailure = (at: { readonly x: number; readonly y: number }, words: string): string => {
  const cross = `M${at.x + 3} ${at.y - 5}l10 10m0 -10l-10 10`;
  return (
    element("path", { d: cross, stroke: ALARM, "stroke-width": 2.6, "stroke-linecap": "round" }) +
    text({ x: at.x + 20, y: at.y + 4 }, words, { fill: ALARM, "font-size": 11.5 })
  );
};

const peakOf = (worker: WorkerStory): readonly number[] => worker.held.map((held) => held.connections);

const peakWords = (worker: WorkerStory): string => `${Math.max(0, ...peakOf(worker))}`;

const describe = (worker: WorkerStory, { from }: Frame): string => {
  const seconds = (at: number | null): string => (at === null ? "never" : `${((at - from) / 1000).toFixed(2)} s`);
  const { startedAt, readyAt, stoppingAt, goneAt } = worker;
  const life = `started ${seconds(startedAt)}, ready ${seconds(readyAt)}, draining ${seconds(stoppingAt)}, gone ${seconds(goneAt)}`;
  return `worker ${worker.id}: ${life}; at most ${peakWords(worker)} connections`;
};

/** The legend, in one row. */
export const drawLegend = (y: number): string => {
  const colour = SOFT;
  const swatch = (x: number, attributes: Record<string, string | number>): string =>
    box({ x, y: y - 10 }, { x: x + 22, y: y + 2 }, attributes);
  const words = (x: number, content: string): string => text({ x: x + 30, y }, content, { fill: SOFT });
  return [
    swatch(LEFT, { fill: PAPER, stroke: colour, "stroke-dasharray": "2 2" }) + words(LEFT, "starting"),
    swatch(LEFT + 110, { fill: colour, "fill-opacity": 0.18 }) + words(LEFT + 110, "ready"),
    swatch(LEFT + 205, { fill: "url(#draining)", "fill-opacity": 0.5 }) + words(LEFT + 205, "draining"),
    swatch(LEFT + 320, { fill: colour, "fill-opacity": 0.8 }) +
      words(LEFT + 320, "connections held (the number: at most)"),
  ].join("");
};

export const legendPattern = element(
  "pattern",
  { id: "draining", width: 8, height: 8, patternUnits: "userSpaceOnUse" },
  element("path", { d: "M-2 2L2 -2M0 8L8 0M6 10L10 6", stroke: SOFT, "stroke-width": 1.6 }),
);
