// SVG as strings: a few elements with their attributes escaped. Colours are attributes, not styles, so that every viewer
// and converter shows them.

type Attributes = Readonly<Record<string, string | number>>;
export type Point = { readonly x: number; readonly y: number };

export const element = (name: string, attributes: Attributes, content = ""): string => {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeText(shorten(value))}"`);
  return content === "" ? `<${name}${written.join("")}/>` : `<${name}${written.join("")}>${content}</${name}>`;
};

export const text = (at: Point, content: string, attributes: Attributes = {}): string =>
  element("text", { ...at, "font-size": 12, fill: INK, ...attributes }, escapeText(content));

export const line = (from: Point, to: Point, attributes: Attributes): string =>
  element("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y, ...attributes });

/** A rectangle, at least one pixel wide. */
export const box = (from: Point, to: Point, attributes: Attributes): string =>
  element("rect", { ...from, width: Math.max(1, to.x - from.x), height: to.y - from.y, ...attributes });

/** The area between two lines that run from left to right over the same x. */
export const area = (upper: readonly Point[], lower: readonly Point[], attributes: Attributes): string => {
  const outline = [...upper, ...[...lower].reverse()];
  const path = outline.map(({ x, y }, index) => `${index === 0 ? "M" : "L"}${shorten(x)} ${shorten(y)}`).join("");
  return element("path", { d: `${path}Z`, ...attributes });
};

/** The tooltip of an element. */
export const titled = (title: string, content: string): string =>
  element("g", {}, `${element("title", {}, escapeText(title))}${content}`);

export const INK = "#1f2328";
export const SOFT = "#6e7781";
export const FAINT = "#e6e3dc";
export const PAPER = "#fdfcf9";
export const ALARM = "#d1242f";
export const KILL = "#c2255c";
export const GOOD = "#1a7f37";

const GENERATIONS = ["#4361ee", "#0f9d8a", "#e8930c", "#8e5bd8", "#2d9cdb", "#5aa469"];

/** The colour of a generation; a failed one is always red. */
export const colourOf = (place: number, isFailed: boolean): string => {
  return isFailed ? ALARM : (GENERATIONS[place % GENERATIONS.length] ?? INK);
};

const shorten = (value: string | number): string =>
  typeof value === "number" ? String(Math.round(value * 10) / 10) : value;

const escapeText = (value: string): string =>
  value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
