// The whole picture of a demo, as SVG: connections by version, a lane for every worker, and the requests meanwhile.
import type { Story } from "../story.ts";
import { frameOf, WIDTH } from "./frame.ts";
import { drawLanes, drawLegend, lanePatterns, lanesHeight, legendPattern } from "./lanes.ts";
import { drawAxis, drawConnections, drawDeploys, drawHead, drawKills, drawRequests } from "./panels.ts";
import { box, element, PAPER } from "./svg.ts";

const DEPLOYS = 126;
const KILLS = 144;
const CONNECTIONS = { top: 164, bottom: 264 };
const LANES = 290;
const REQUESTS_HEIGHT = 54;

const FONT = '"Inter", "Segoe UI", system-ui, "DejaVu Sans", sans-serif';

/** `story` has ended; the result is a self-contained file. */
export const drawPicture = (story: Story): string => {
  const frame = frameOf(story);
  const requests = { top: LANES + lanesHeight(frame) + 10, bottom: LANES + lanesHeight(frame) + 10 + REQUESTS_HEIGHT };
  const height = requests.bottom + 70;
  const parts = [
    element("title", {}, "crank: five deploys under load"),
    element("defs", {}, lanePatterns(frame) + legendPattern),
    box({ x: 0, y: 0 }, { x: WIDTH, y: height }, { fill: PAPER }),
    drawHead(frame, {
      title: "Five deploys under 500 connections",
      subtitle: "a WebSocket server in a pool of three under crank, its clients, and who served them when",
    }),
    drawAxis(frame, DEPLOYS, requests.bottom),
    drawConnections(frame, CONNECTIONS),
    drawDeploys(frame, DEPLOYS, requests.bottom),
    drawLanes(frame, LANES),
    drawRequests(frame, requests),
    drawKills(frame, KILLS, requests.bottom),
    drawLegend(requests.bottom + 46),
  ];
  const size = { viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height };
  return `${element("svg", { xmlns: "http://www.w3.org/2000/svg", ...size, "font-family": FONT }, parts.join("\n"))}\n`;
};
