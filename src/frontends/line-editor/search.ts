// Incremental search in the history, as readline(3) has it on C-r and C-s.
import type { History } from "./history.ts";
import type { Line } from "./line.ts";

export type Direction = "back" | "forward";

export type Search = {
  readonly query: string;
  readonly direction: Direction;
  /** Which entry is shown; the history's length is the line that was being typed. */
  readonly place: number;
  readonly line: Line;
  readonly hasFailed: boolean;
  /** Where it began. */
  readonly from: { readonly place: number; readonly line: Line };
};

/** No query needs to be longer. */
const MOST_QUERY = 1024;

export const beginSearch = (direction: Direction, place: number, line: Line): Search => ({
  query: "",
  direction,
  place,
  line,
  hasFailed: false,
  from: { place, line },
});

/** Looks for more text, from the entry that is shown on. */
export const extendSearch = (search: Search, added: string, history: History): Search => {
  const query = (search.query + added.replaceAll("\n", " ")).slice(0, MOST_QUERY);
  return find({ ...search, query }, history, search.place);
};

/** Looks for less text, from where the search began. */
export const shortenSearch = (search: Search, query: string, history: History): Search =>
  query === ""
    ? { ...beginSearch(search.direction, search.from.place, search.from.line) }
    : find({ ...search, query }, history, search.from.place);

/** Looks for the next one. */
export const continueSearch = (search: Search, direction: Direction, history: History): Search => {
  const turned = { ...search, direction };
  return search.query === "" ? turned : find(turned, history, search.place + step(direction));
};

export const promptOf = ({ query, direction, hasFailed }: Search): string =>
  `(${hasFailed ? "failed " : ""}${direction === "back" ? "reverse-" : ""}i-search)\`${query}': `;

const step = (direction: Direction): number => (direction === "back" ? -1 : 1);

const find = (search: Search, history: History, start: number): Search => {
  const { query, direction, from } = search;
  for (let place = start; place >= 0 && place <= history.length; place += step(direction)) {
    const text = place === from.place ? from.line.text : (history[place] ?? "");
    const at = direction === "back" ? text.lastIndexOf(query) : text.indexOf(query);
    if (at >= 0) return { ...search, place, line: { text, cursor: at }, hasFailed: false };
  }
  return { ...search, hasFailed: true };
};
