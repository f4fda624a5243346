// The page of all services under a prefix: a line each, one of them chosen.
import { escapeControls } from "../../terminal.ts";
import { type Column, columnsFor, headerLine, rowLine } from "./columns.ts";
import { connectionsOf, drainsOf, queuedIn, readyIn, type ServiceView } from "./model.ts";
import { bar, type Frame, type Line, type Piece, type Style } from "./text.ts";

/** The lines of the page; the keys apply to `chosen`. */
export const listPage = (views: readonly ServiceView[], frame: Frame, chosen: number): readonly Line[] => {
  if (views.length === 0) return [[["No control socket yet", "warn"]]];
  const columns = columnsFor(COLUMNS(frame.look), frame.columns);
  const room = Math.max(1, frame.rows - 1);
  const first = Math.max(0, Math.min(chosen - Math.floor(room / 2), views.length - room));
  const rows = views.slice(first, first + room);
  return [
    headerLine(columns),
    ...rows.map((view, index) => {
      const isChosen = first + index === chosen;
      return rowLine(columns, { view, isChosen }, isChosen && frame.look.colour ? "chosen" : null);
    }),
  ].slice(0, frame.rows);
};

type Row = { readonly view: ServiceView; readonly isChosen: boolean };

const COLUMNS = (look: Style): readonly Column<Row>[] => [
  {
    title: "  SERVICE",
    side: "left",
    width: 12,
    grows: true,
    rank: 0,
    cell: ({ view, isChosen }) => [`${isChosen ? "> " : "  "}${escapeControls(view.name)}`, "title"],
  },
  {
    title: "GEN",
    side: "right",
    width: 4,
    rank: 2,
    cell: ({ view }) => [String(view.status?.generation ?? "-"), "plain"],
  },
  { title: "READY", side: "right", width: 7, rank: 1, cell: ({ view }) => readyCell(view) },
  { title: "STOPPING", side: "right", width: 8, rank: 4, cell: ({ view }) => count(drainsOf(view).workers, view) },
  {
    title: "CONNS",
    side: "right",
    width: 7,
    rank: 3,
    cell: ({ view }) => [String(connectionsOf(view) ?? "-"), "plain"],
  },
  { title: "WAITING", side: "right", width: 7, rank: 5, cell: ({ view }) => count(queuedIn(view) ?? 0, view) },
  { title: "ROLLOUT", side: "left", width: 16, rank: 6, cell: ({ view }, columns) => rolloutCell(view, columns, look) },
];

const readyCell = (view: ServiceView): Piece => {
  if (view.link.kind === "lost") return ["gone", "bad"];
  if (view.status === null) return ["-", "plain"];
  const ready = readyIn(view);
  return [`${ready}/${view.status.instances}`, ready >= view.status.instances ? "good" : "warn"];
};

const count = (number: number, view: ServiceView): Piece =>
  view.status === null ? ["-", "plain"] : [String(number), number > 0 ? "warn" : "dim"];

const rolloutCell = (view: ServiceView, columns: number, look: Style): Piece => {
  const rollout = view.status?.rollout ?? null;
  if (rollout !== null) {
    const { available, wanted, starting, ready } = rollout;
    const done = { done: available, begun: starting + ready - available, whole: wanted };
    return [bar(done, columns, look), rollout.waiting == null ? "good" : "warn"];
  }
  const { connections, most } = drainsOf(view);
  return connections === null || most === null || most === 0
    ? ["", "plain"]
    : [bar({ done: connections, whole: most }, columns, look), "warn"];
};
