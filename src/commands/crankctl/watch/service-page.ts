// The page of one service: its state, its rollout and drains as bars, its workers, the last events. A pure function of the
// view and the terminal's size.
import { host } from "#host";
import type { EventEntry, RolloutInfo, Status } from "../../../control/messages.ts";
import { escapeControls, since, span } from "../../terminal.ts";
import { pauses, waitsForDrain } from "../deploy/progress.ts";
import { describeEvent } from "../streams/event-text.ts";
import { clockTime } from "../streams/service-time.ts";
import { asMuchAsFits } from "./columns.ts";
import { drainsOf, readyIn, type ServiceView } from "./model.ts";
import { bar, type Frame, isNarrow, type Line, type Piece, type Tone } from "./text.ts";
import { workerLines, workerTable } from "./worker-table.ts";

/** `scroll`: how many workers are above the first visible one. */
export const servicePage = (view: ServiceView, frame: Frame, scroll: number): readonly Line[] => {
  const top = [titleLine(view, frame), ...linkLines(view), ...socketLines(view, frame), ...rolloutLines(view, frame)];
  const table = workerTable(view, frame);
  const room = Math.max(0, frame.rows - top.length);
  // The last events get a quarter, and the rows that the workers do not need.
  const forEvents = Math.min(
    view.events.length + 1,
    Math.max(Math.floor(room / 4), room - table.workers.flat().length - 2),
  );
  const events = forEvents >= 2 && room >= 6 ? eventLines(view, forEvents) : [];
  const shown = workerLines(table, Math.max(0, room - events.length), scroll);
  return [...top, ...shown, ...events].slice(0, frame.rows);
};

/** How far down the workers of a service can be scrolled, at most. */
export const lastScroll = (view: ServiceView): number => Math.max(0, (view.status?.workers.length ?? 0) - 1);

const titleLine = (view: ServiceView, frame: Frame): Line => {
  const { columns } = frame;
  const name: Piece = [escapeControls(view.name), "title"];
  const { status } = view;
  if (status === null) return [name];
  const ready = readyIn(view);
  const enough: Tone = ready >= status.instances ? "good" : "warn";
  const again: readonly Piece[] = status.restarts > 0 ? [[`${status.restarts} again`, "warn"]] : [];
  if (isNarrow(frame))
    return asMuchAsFits(
      [name, [`gen ${status.generation ?? "-"}`, "plain"], [`${ready}/${status.instances}`, enough], ...again],
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

/** Empty while crank is reachable. */
export const linkLines = ({ link }: ServiceView): readonly Line[] => {
  if (link.kind === "live") return [];
  if (link.kind === "connecting") return [[["Connecting", "dim"]]];
  return [[[`No crank for ${span(host.clock.wallNow() - link.since)}: ${escapeControls(link.reason)}`, "bad"]]];
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
  const { wanted, available, starting, ready, oldLeft, generation } = rollout;
  const texts = [
    `${isNarrow(frame) ? "To gen" : "Rolling out generation"} ${generation} for ${since(rollout.startedAt)}`,
    ...(starting > 0 ? [`${starting} starting`] : []),
    ...(rollout.attemptsLeft > 0 ? [`${rollout.attemptsLeft} attempts left`] : []),
  ];
  const begun = starting + ready - available;
  const old = { done: oldLeft, whole: Math.max(status.instances, oldLeft) };
  return [
    asMuchAsFits(
      texts.map((word) => [word, "title"] as const),
      frame.columns,
    ) as Line,
    ...(rollout.waiting == null ? [] : [[[waits(rollout.waiting, frame), "warn"]] as Line]),
    barLine("new", { done: available, begun, whole: wanted }, `${available} of ${wanted} available`, "good", frame),
    barLine("old", old, `${oldLeft} of ${old.whole} serving`, "plain", frame),
  ];
};

/** The reason why the next replacement waits. */
const waits = (waiting: NonNullable<RolloutInfo["waiting"]>, frame: Frame): string => {
  if (waiting.kind === "draining")
    return isNarrow(frame) ? `waits: ${waiting.limit} drain` : capital(waitsForDrain(waiting.limit));
  const remainingMs = Math.max(0, Date.parse(waiting.until) - host.clock.wallNow());
  return isNarrow(frame) ? `next in ${span(remainingMs)}` : `Pausing: ${pauses(remainingMs)}`;
};

const capital = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

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

const eventLines = (view: ServiceView, room: number): readonly Line[] => [
  [],
  ...view.events.slice(-(room - 1)).map((entry): Line => {
    return [
      [`${escapeControls(clockTime(entry.time))} `, "dim"],
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

/** One line of text, for simple terminals and for pipes. */
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
    ...(rollout?.waiting?.kind === "pause" ? ["pausing before the next replacement"] : []),
    ...(rollout?.waiting?.kind === "draining" ? [waitsForDrain(rollout.waiting.limit)] : []),
    ...(status.restarts > 0 ? [`${status.restarts} started again`] : []),
    ...(drains.workers === 0 ? [] : [`${drains.workers} stopping${connections}`]),
    ...(status.phase === "stopping" ? ["shutting down"] : []),
  ].join(", ");
};
