// The effect of a key on the line, the position in the history, the search and the cut text. Pure: press() returns the next state
// and the effect outside of it.
import { type Completer, completed } from "./completion.ts";
import type { History } from "./history.ts";
import type { Command, Key } from "./keys.ts";
import * as edit from "./line.ts";
import { type Cut, EMPTY, type Line, lineOf } from "./line.ts";
import { beginSearch, continueSearch, extendSearch, promptOf, type Search, shortenSearch } from "./search.ts";

export type Editing = {
  readonly line: Line;
  /** Which entry of the history is edited; its length is the new line. */
  readonly entry: number;
  /** The new line, while an entry is edited. */
  readonly draft: string;
  readonly search: Search | null;
  /** The last cut text. A cut directly after a cut is appended. */
  readonly cut: string;
  readonly last: "cut" | "completion" | "other";
};

/** The effect outside. `accept`, `leave`, `suspend` and `quit` pause the handling of keys. */
export type Effect =
  | { readonly kind: "none" | "bell" | "leave" | "suspend" | "quit" | "clearScreen" }
  | { readonly kind: "accept"; readonly text: string }
  | { readonly kind: "list"; readonly candidates: readonly string[] };

export type Aids = { readonly history: History; readonly complete: Completer };

type Step = { readonly editing: Editing; readonly effect: Effect };

/** A new line that keeps the cut text. */
export const beginLine = (history: History, cut: string): Editing => ({
  line: EMPTY,
  entry: history.length,
  draft: "",
  search: null,
  cut,
  last: "other",
});

/** The visible part of the state. */
export const shownOf = (editing: Editing, prompt: string): { readonly prompt: string; readonly line: Line } =>
  editing.search === null
    ? { prompt, line: editing.line }
    : { prompt: promptOf(editing.search), line: editing.search.line };

export const press = (editing: Editing, key: Key, aids: Aids): Step => {
  if (editing.search !== null) return pressInSearch(editing, editing.search, key, aids);
  if (key.kind === "unknown") return { editing, effect: BELL };
  if (key.kind === "command") return COMMANDS[key.command]({ ...editing, last: "other" }, aids, editing.last);
  const line = edit.insert(editing.line, key.text);
  return { editing: { ...editing, line, last: "other" }, effect: line === editing.line ? BELL : NONE };
};

const NONE: Effect = { kind: "none" };
const BELL: Effect = { kind: "bell" };

type Act = (editing: Editing, aids: Aids, last: Editing["last"]) => Step;

/** Changes the line; rings the bell if nothing changes. */
const changes =
  (change: (line: Line) => Line): Act =>
  (editing) => {
    const line = change(editing.line);
    const isSame = line.text === editing.line.text && line.cursor === editing.line.cursor;
    return { editing: { ...editing, line }, effect: isSame ? BELL : NONE };
  };

const moves =
  (move: (line: Line) => Line): Act =>
  (editing) => ({ editing: { ...editing, line: move(editing.line) }, effect: NONE });

/** A cut directly after a cut joins the cut text on the side where it was. */
const cuts =
  (take: (line: Line) => Cut, side: "before" | "behind"): Act =>
  (editing, _, last) => {
    const { line, cut } = take(editing.line);
    if (cut === "") return { editing: { ...editing, last }, effect: BELL };
    const joined = last !== "cut" ? cut : side === "before" ? cut + editing.cut : editing.cut + cut;
    return { editing: { ...editing, line, cut: joined, last: "cut" }, effect: NONE };
  };

const recalls =
  (entryFrom: (entry: number, newest: number) => number): Act =>
  (editing, { history }) => {
    const entry = entryFrom(editing.entry, history.length);
    if (entry < 0 || entry > history.length || entry === editing.entry) return { editing, effect: BELL };
    const draft = editing.entry === history.length ? editing.line.text : editing.draft;
    const line = lineOf(history[entry] ?? draft);
    return { editing: { ...editing, entry, draft, line }, effect: NONE };
  };

const searches =
  (direction: "back" | "forward"): Act =>
  (editing) => ({
    editing: { ...editing, search: beginSearch(direction, editing.entry, editing.line) },
    effect: NONE,
  });

const ends =
  (kind: "leave" | "suspend" | "quit" | "clearScreen"): Act =>
  (editing) => ({ editing, effect: { kind } });

const COMMANDS: Readonly<Record<Command, Act>> = {
  accept: (editing) => ({
    editing: { ...editing, line: edit.toEnd(editing.line) },
    effect: { kind: "accept", text: editing.line.text },
  }),
  interrupt: ends("leave"),
  suspend: ends("suspend"),
  quit: ends("quit"),
  escape: (editing) => ({ editing, effect: NONE }),
  abort: (editing) => ({ editing, effect: BELL }),
  start: moves(edit.toStart),
  end: moves(edit.toEnd),
  left: changes(edit.left),
  right: changes(edit.right),
  wordLeft: changes(edit.wordLeft),
  wordRight: changes(edit.wordRight),
  deleteLeft: changes(edit.deleteLeft),
  deleteRight: changes(edit.deleteRight),
  deleteRightOrEnd: (editing, aids, last) =>
    editing.line.text === "" ? ends("leave")(editing, aids, last) : changes(edit.deleteRight)(editing, aids, last),
  cutToStart: cuts(edit.cutToStart, "before"),
  cutToEnd: cuts(edit.cutToEnd, "behind"),
  cutBlankWordLeft: cuts(edit.cutBlankWordLeft, "before"),
  cutWordLeft: cuts(edit.cutWordLeft, "before"),
  cutWordRight: cuts(edit.cutWordRight, "behind"),
  putBack: (editing, aids, last) => changes((line) => edit.insert(line, editing.cut))(editing, aids, last),
  transpose: changes(edit.transpose),
  clearScreen: ends("clearScreen"),
  previous: recalls((entry) => entry - 1),
  next: recalls((entry) => entry + 1),
  oldest: recalls(() => 0),
  newest: recalls((_, newest) => newest),
  searchBack: searches("back"),
  searchForward: searches("forward"),
  complete: (editing, { complete }, last) => {
    const { line, candidates } = completed(editing.line, complete);
    const isSame = line.text === editing.line.text;
    if (!isSame || candidates.length < 2) return { editing: { ...editing, line }, effect: isSame ? BELL : NONE };
    // The first press rings, the second lists.
    const effect: Effect = last === "completion" ? { kind: "list", candidates } : BELL;
    return { editing: { ...editing, line, last: "completion" }, effect };
  },
};

const pressInSearch = (editing: Editing, search: Search, key: Key, aids: Aids): Step => {
  const { history } = aids;
  const go = (next: Search): Step => ({
    editing: { ...editing, search: next },
    effect: next.hasFailed ? BELL : NONE,
  });
  if (key.kind === "unknown") return { editing, effect: BELL };
  if (key.kind !== "command") return go(extendSearch(search, key.text, history));
  switch (key.command) {
    case "searchBack":
      return go(continueSearch(search, "back", history));
    case "searchForward":
      return go(continueSearch(search, "forward", history));
    case "deleteLeft":
      return go(shortenSearch(search, edit.deleteLeft(lineOf(search.query)).text, history));
    case "abort":
      return { editing: { ...editing, search: null }, effect: BELL };
    case "escape":
      return { editing: foundIn(editing, search, history), effect: NONE };
    case "suspend":
    case "clearScreen":
      return { editing, effect: { kind: key.command } };
    default:
      // Any other key accepts the result, and is then applied to it.
      return press(foundIn(editing, search, history), key, aids);
  }
};

/** The line that the search shows becomes the edited line. */
const foundIn = (editing: Editing, { entry, line }: Search, history: History): Editing => {
  const draft = editing.entry === history.length ? editing.line.text : editing.draft;
  return { ...editing, search: null, entry, draft, line, last: "other" };
};
