// Two deploys in one picture: how many clients reconnected in each quarter of a second.
import {
  ALARM,
  box,
  element,
  FAINT,
  GOOD,
  INK,
  line,
  PAPER,
  type Point,
  SOFT,
  text,
} from "../../examples/demo/picture/svg.ts";

/** `returnsMs`: when each client had reconnected, relative to the first one. */
export type Comeback = { readonly spreadMs: number; readonly returnsMs: readonly number[]; readonly failures: number };

const WIDTH = 860;
const PANEL = { left: 70, right: 840, height: 190, above: 60, between: 75 } as const;
/** Space for the label of the highest bar. */
const LABEL_WIDTH = 300;
const BIN_MS = 250;
const SECOND_MS = 1_000;

/** Clients per second, for each bin. */
const ratesOf = (comeback: Comeback, bins: number): readonly number[] => {
  const counts = Array.from({ length: bins }, () => 0);
  for (const at of comeback.returnsMs) {
    const bin = Math.min(bins - 1, Math.floor(at / BIN_MS));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts.map((count) => (count * SECOND_MS) / BIN_MS);
};

const grouped = (value: number): string => Math.round(value).toLocaleString("en");

type Panel = {
  readonly comeback: Comeback;
  readonly top: number;
  readonly bins: number;
  readonly most: number;
  readonly clients: number;
};

const panel = ({ comeback, top, bins, most, clients }: Panel): string => {
  const bottom = top + PANEL.height;
  const x = (bin: number): number => PANEL.left + ((PANEL.right - PANEL.left) * bin) / bins;
  const y = (rate: number): number => bottom - (PANEL.height * rate) / most;
  const isSpread = comeback.spreadMs > 0;
  const heading = isSpread ? `spreadMs: ${grouped(comeback.spreadMs)}` : "no spread: all clients are asked at once";
  const rates = ratesOf(comeback, bins);
  const parts = [text({ x: PANEL.left, y: top - 12 }, heading, { "font-weight": "bold" })];
  for (const share of [0, 0.5, 1]) {
    const at: Point = { x: PANEL.left, y: y(most * share) };
    parts.push(line(at, { x: PANEL.right, y: at.y }, { stroke: FAINT }));
    parts.push(text({ x: PANEL.left - 8, y: at.y + 4 }, grouped(most * share), { "text-anchor": "end", fill: SOFT }));
  }
  rates.forEach((rate, bin) => {
    if (rate === 0) return;
    parts.push(box({ x: x(bin), y: y(rate) }, { x: x(bin + 1) - 1, y: bottom }, { fill: isSpread ? GOOD : ALARM }));
  });
  const peak = Math.max(...rates);
  const peakX = Math.min(x(rates.indexOf(peak) + 1) + 6, PANEL.right - LABEL_WIDTH);
  const peakAt: Point = { x: peakX, y: Math.max(top + 12, y(peak) - 6) };
  parts.push(text(peakAt, `at most ${grouped(peak)} a second`, { fill: INK }));
  if (isSpread) {
    const twice = (2 * clients * SECOND_MS) / comeback.spreadMs;
    parts.push(
      line(
        { x: PANEL.left, y: y(twice) },
        { x: PANEL.right, y: y(twice) },
        { stroke: SOFT, "stroke-dasharray": "4 4" },
      ),
      text({ x: PANEL.right, y: y(twice) - 6 }, `twice the even rate: ${grouped(twice)}`, {
        "text-anchor": "end",
        fill: SOFT,
      }),
    );
  }
  for (let second = 0; second <= (bins * BIN_MS) / SECOND_MS; second += 5) {
    const at = x((second * SECOND_MS) / BIN_MS);
    parts.push(text({ x: at, y: bottom + 18 }, `${second} s`, { "text-anchor": "middle", fill: SOFT }));
  }
  return parts.join("");
};

/** The picture, as SVG: one panel for each deploy, on the same scales. */
export const spreadPicture = (comebacks: readonly Comeback[], clients: number): string => {
  const longest = Math.max(...comebacks.flatMap(({ returnsMs }) => [returnsMs.at(-1) ?? 0]));
  const bins = Math.ceil(longest / BIN_MS) + 1;
  const peak = Math.max(...comebacks.flatMap((comeback) => ratesOf(comeback, bins)));
  const most = Math.ceil(peak / 1_000) * 1_000;
  const step = PANEL.height + PANEL.between;
  const height = PANEL.above + comebacks.length * step - 20;
  const title = `${grouped(clients)} WebSocket clients come back after a deploy: clients a second`;
  const panels = comebacks.map((comeback, index) =>
    panel({ comeback, top: PANEL.above + 20 + index * step, bins, most, clients }),
  );
  return element(
    "svg",
    { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${WIDTH} ${height}`, "font-family": "sans-serif" },
    [
      box({ x: 0, y: 0 }, { x: WIDTH, y: height }, { fill: PAPER }),
      text({ x: 20, y: 30 }, title, { "font-size": 16 }),
      ...panels,
    ].join(""),
  );
};
