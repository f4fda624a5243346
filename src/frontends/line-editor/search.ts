// Incremental search in the history, like C-r and C-s in readline(3).
import type { History } from "./history.ts";
import type { Line } from "./line.ts";

export type Direction = "back" | "forward";

export type Search = {
  readonly query: string;
  readonly direction: Direction;
  /** Which entry is shown; the history's length is the line that was being typed. */
  readonly entry: number;
  readonly line: Line;
  readonly hasFailed: boolean;
  /** Where it began. */
  readonly from: { readonly entry: number; readonly line: Line };
};

/** No query needs to be longer. */
const MOST_QUERY = 1024;

export const beginSearch = (direction: Direction, entry: number, line: Line): Search => ({
  query: "",
  direction,
  entry,
  line,
  hasFailed: false,
  from: { entry, line },
});

/** Extends the query, and searches from the visible entry. */
export const extendSearch = (search: Search, added: string, history: History): Search => {
  const query = (search.query + added.replaceAll("\n", " ")).slice(0, MOST_QUERY);
  return find({ ...search, query }, history, search.entry);
};

/** Shortens the query, and searches from where the search began. */
export const shortenSearch = (search: Search, query: string, history: History): Search =>
  query === ""
    ? { ...beginSearch(search.direction, search.from.entry, search.from.line) }
    : find({ ...search, query }, history, search.from.entry);

/** Searches for the next match. */
export const continueSearch = (search: Search, direction: Direction, history: History): Search => {
  const turned = { ...search, direction };
  return search.query === "" ? turned : find(turned, history, search.entry + step(direction));
};

export const promptOf = ({ query, direction, hasFailed }: Search): string =>
  `(${hasFailed ? "failed " : ""}${direction === "back" ? "reverse-" : ""}i-search)\`${query}': `;

const step = (direction: Direction): number => (direction === "back" ? -1 : 1);

const find = (search: Search, history: History, start: number): Search => {
  const { query, direction, from } = search;
  for (let entry = start; entry >= 0 && entry <= history.length; entry += step(direction)) {
    const text = entry === from.entry ? from.line.text : (history[entry] ?? "");
    const at = direction === "back" ? text.lastIndexOf(query) : text.indexOf(query);
    if (at >= 0) return { ...search, entry, line: { text, cursor: at }, hasFailed: false };
  }
  return { ...search, hasFailed: true };
};
