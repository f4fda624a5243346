// The page of one service: what it is, its rollout and drains as bars, its workers, what happened last. A function of what is
// known and of the terminal's size; it writes nothing.
import type { EventEntry, RolloutInfo, Status, WorkerInfo } from "../../../control/messages.ts";
import { escapeControls, since, span } from "../../terminal.ts";
import { describeEvent } from "../event-text.ts";
import { asMuchAsFits, type Column, columnsFor, headerLine, rowLine } from "./columns.ts";
import { cpuShare, drainsOf, readyIn, type ServiceView } from "./model.ts";
import { bar, type Line, type Look, type Piece, type Tone } from "./text.ts";

/** How large the terminal is, and what it can show. */
export type Frame = { readonly columns: number; readonly rows: number; readonly look: Look };

/** `scroll`: how many workers are above the first one that is shown. */
export const servicePage = (view: ServiceView, frame: Frame, scroll: number): readonly Line[] => {
  const top = [titleLine(view, frame), ...linkLines(view), ...socketLines(view, frame), ...rolloutLines(view, frame)];
  const workers = view.status?.workers ?? [];
  const room = Math.max(0, frame.rows - top.length);
  // What happened last gets a quarter, and what the workers leave.
  const forEvents = Math.min(view.events.length + 1, Math.max(Math.floor(room / 4), room - workers.length - 2));
  const events = forEvents >= 2 && room >= 6 ? eventLines(view, forEvents) : [];
  const shown = workerLines(view, frame, Math.max(0, room - events.length), scroll);
  return [...top, ...shown, ...events].slice(0, frame.rows);
};

/** How far down the workers of a service can be scrolled, at most. */
export const lastScroll = (view: ServiceView): number => Math.max(0, (view.status?.workers.length ?? 0) - 1);

const titleLine = (view: ServiceView, { columns }: Frame): Line => {
  const name: Piece = [escapeControls(view.name), "title"];
  const { status } = view;
  if (status === null) return [name];
  const ready = readyIn(view);
  const enough: Tone = ready >= status.instances ? "good" : "warn";
  if (columns < 50)
    return asMuchAsFits(
      [name, [`gen ${status.generation ?? "-"}`, "plain"], [`${ready}/${status.instances}`, enough]],
      columns,
    );
  return asMuchAsFits(
    [
      name,
      [status.generation === null ? "nothing deployed yet" : `generation ${status.generation}`, "plain"],
      [`${ready} of ${status.instances} ready`, enough],
      ...(status.phase === "stopping" ? [["shutting down", "warn"] as const] : []),
      [`up ${since(status.startedAt)}`, "dim"],
      ...(status.restarts > 0 ? [[`${status.restarts} started again`, "warn"] as const] : []),
      [`pid ${status.pid}`, "dim"],
    ],
    columns,
  );
};

/** Nothing while crank is there. */
export const linkLines = ({ link }: ServiceView): readonly Line[] => {
  if (link.kind === "live") return [];
  if (link.kind === "connecting") return [[["Connecting", "dim"]]];
  return [[[`No crank for ${span(Date.now() - link.since)}: ${escapeControls(link.reason)}`, "bad"]]];
};

const MOST_SOCKETS = 3;

const socketLines = (view: ServiceView, { columns }: Frame): readonly Line[] => {
  const sockets = view.status?.sockets ?? [];
  const lines = sockets.slice(0, MOST_SOCKETS).map((socket): Line => {
    const waiting = socket.queue ?? 0;
    return asMuchAsFits(
      [
        [escapeControls(socket.address), "plain"],
        ...(socket.queue === null
          ? []
          : [[`${waiting} of ${socket.limit ?? "?"} waiting`, waiting > 0 ? "warn" : "dim"] as const]),
        ...(socket.connections == null ? [] : [[`${socket.connections} connections`, "plain"] as const]),
        ...((socket.drops ?? 0) > 0 ? [[`${socket.drops} dropped`, "bad"] as const] : []),
      ],
      columns,
    );
  });
  const more = sockets.length - lines.length;
  return more > 0 ? [...lines, [[`and ${more} more`, "dim"]]] : lines;
};

const LABEL = 6;
const NUMBERS = 27;

const rolloutLines = (view: ServiceView, frame: Frame): readonly Line[] => {
  const { status } = view;
  if (status === null) return [];
  const drains = drainsOf(view);
  const lines = [...(status.rollout === null ? [] : rolloutBars(status, status.rollout, frame))];
  if (drains.workers > 0) {
    const { connections, most } = drains;
    const who = `${drains.workers} worker${drains.workers === 1 ? "" : "s"}`;
    const numbers = connections === null ? who : `${connections} of ${most}, ${who}`;
    lines.push(
      barLine("drain", { done: connections ?? drains.workers, whole: most ?? drains.workers }, numbers, "warn", frame),
    );
  }
  return lines.length === 0 ? [[]] : [[], ...lines, []];
};

const rolloutBars = (status: Status, rollout: RolloutInfo, frame: Frame): Line[] => {
  const { wanted, available, starting, ready, oldLeft } = rollout;
  const words = [
    `Rolling out generation ${rollout.generation} for ${since(rollout.startedAt)}`,
    ...(starting > 0 ? [`${starting} starting`] : []),
    ...(rollout.attemptsLeft > 0 ? [`${rollout.attemptsLeft} attempts left`] : []),
  ];
  const begun = starting + ready - available;
  const old = { done: oldLeft, whole: Math.max(status.instances, oldLeft) };
  return [
    asMuchAsFits(
      words.map((word) => [word, "title"] as const),
      frame.columns,
    ) as Line,
    barLine("new", { done: available, begun, whole: wanted }, `${available} of ${wanted} available`, "good", frame),
    barLine("old", old, `${oldLeft} of ${old.whole} serving`, "plain", frame),
  ];
};

const barLine = (
  label: string,
  of: { readonly done: number; readonly begun?: number; readonly whole: number },
  numbers: string,
  tone: Tone,
  { columns, look }: Frame,
): Line => {
  const width = columns - LABEL - NUMBERS;
  if (width < 4) return [[`${label} ${numbers}`, tone]];
  return [
    [label.padEnd(LABEL), "dim"],
    [bar(of, width, look), tone],
    [` ${numbers}`, "plain"],
  ];
};

const TONES: Readonly<Record<WorkerInfo["state"], Tone>> = { starting: "plain", ready: "good", stopping: "warn" };

/** In at most five columns. */
const amount = (bytes: number): string => {
  const units = ["K", "M", "G", "T"] as const;
  let left = bytes / 1024;
  let unit = 0;
  for (; left >= 1000 && unit < units.length - 1; unit++) left /= 1024;
  return `${left < 10 ? left.toFixed(1) : Math.round(left)}${units[unit] ?? ""}`;
};

const workerColumns = (view: ServiceView, look: Look): readonly Column<WorkerInfo>[] => [
  { title: "ID", side: "right", width: 4, rank: 1, cell: (worker) => [String(worker.id), "plain"] },
  { title: "PID", side: "right", width: 7, rank: 3, cell: (worker) => [String(worker.pid ?? "-"), "plain"] },
  { title: "GEN", side: "right", width: 4, rank: 4, cell: (worker) => [String(worker.generation), "plain"] },
  { title: "STATE", side: "left", width: 8, rank: 0, cell: (worker) => [worker.state, TONES[worker.state]] },
  { title: "UP", side: "right", width: 10, rank: 5, cell: (worker) => [span(worker.uptime * 1000), "plain"] },
  {
    title: "MEM",
    side: "right",
    width: 5,
    rank: 6,
    cell: ({ usage }) => [usage?.memory == null ? "-" : amount(usage.memory), "plain"],
  },
  { title: "CPU", side: "right", width: 5, rank: 7, cell: (worker) => [percent(cpuShare(view, worker.id)), "plain"] },
  {
    title: "CONNS",
    side: "right",
    width: 6,
    rank: 2,
    cell: ({ usage }) => [String(usage?.connections ?? "-"), "plain"],
  },
  {
    title: "OF ITS MOST",
    side: "left",
    width: 12,
    grows: true,
    rank: 8,
    cell: ({ id, usage, state }, columns) => {
      const now = usage?.connections ?? null;
      const most = view.peaks.get(id) ?? 0;
      return now === null || most === 0
        ? ["", "plain"]
        : [bar({ done: now, whole: most }, Math.min(columns, 40), look), TONES[state]];
    },
  },
];

const percent = (share: number | null): string => (share === null ? "-" : `${Math.round(share * 100)}%`);

const workerLines = (view: ServiceView, frame: Frame, room: number, scroll: number): readonly Line[] => {
  const workers = [...(view.status?.workers ?? [])].sort((a, b) => b.generation - a.generation || a.id - b.id);
  if (room < 2 || workers.length === 0) return [];
  const columns = columnsFor(workerColumns(view, frame.look), frame.columns);
  const first = Math.min(scroll, Math.max(0, workers.length - 1));
  const isCut = workers.length - first > room - 1;
  const shown = workers.slice(first, first + room - (isCut ? 2 : 1));
  const more = workers.length - first - shown.length;
  return [
    headerLine(columns),
    ...shown.map((worker) => rowLine(columns, worker, null)),
    ...(isCut ? [[[`and ${more} more`, "dim"]] as Line] : []),
  ];
};

const eventLines = (view: ServiceView, room: number): readonly Line[] => [
  [],
  ...view.events.slice(-(room - 1)).map((entry): Line => {
    const time = new Date(entry.time).toTimeString().slice(0, 8);
    return [
      [`${time} `, "dim"],
      [escapeControls(describeEvent(entry)), BAD.has(entry.kind) ? "bad" : "plain"],
    ];
  }),
];

const BAD: ReadonlySet<EventEntry["kind"]> = new Set([
  "workerFailed",
  "rolloutRolledBack",
  "journalFailed",
  "recordFailed",
  "upgradeFailed",
  "messageSetAside",
]);

/** One line of words: for terminals that cannot do more, and for pipes. */
export const summaryLine = (view: ServiceView): string => {
  const name = escapeControls(view.name);
  const { link, status } = view;
  if (link.kind === "lost") return `${name}: no crank: ${escapeControls(link.reason)}`;
  if (status === null) return `${name}: connecting`;
  const drains = drainsOf(view);
  const { rollout } = status;
  const connections = drains.connections === null ? "" : ` with ${drains.connections} connections`;
  return [
    `${name}: ${status.generation === null ? "nothing deployed yet" : `generation ${status.generation}`}`,
    `${readyIn(view)} of ${status.instances} ready`,
    ...(rollout === null
      ? []
      : [`rolling out generation ${rollout.generation}: ${rollout.available} of ${rollout.wanted} available`]),
    ...(drains.workers === 0 ? [] : [`${drains.workers} stopping${connections}`]),
    ...(status.phase === "stopping" ? ["shutting down"] : []),
  ].join(", ");
};
