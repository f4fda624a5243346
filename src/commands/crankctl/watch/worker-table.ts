// The workers of a service as a table; on a narrow screen, a second line has the rest.
import type { WorkerInfo } from "../../../control/messages.ts";
import { escapeControls, span } from "../../terminal.ts";
import { remarkOn } from "../workers/table.ts";
import { type Column, columnsFor, headerLine, rowLine } from "./columns.ts";
import { cpuShare, type ServiceView } from "./model.ts";
import { bar, type Frame, isNarrow, type Line, type Style, type Tone } from "./text.ts";

/** The workers from number `scroll` on, the newest generation first, each as its lines; without a header. */
export type WorkerTable = { readonly header: Line; readonly workers: readonly (readonly Line[])[] };

/** Lays the workers out for a screen. */
export const workerTable = (view: ServiceView, frame: Frame): WorkerTable => {
  const workers = [...(view.status?.workers ?? [])].sort((a, b) => b.generation - a.generation || a.id - b.id);
  const columns = columnsFor(workerColumns(view, frame), frame.columns);
  return {
    header: headerLine(columns),
    workers: workers.map((worker) => [rowLine(columns, worker, null), ...(isNarrow(frame) ? moreOf(worker) : [])]),
  };
};

/** The workers that fit, under the header, and the number of the others. */
export const workerLines = ({ header, workers }: WorkerTable, room: number, scroll: number): readonly Line[] => {
  if (room < 2 || workers.length === 0) return [];
  const remaining = workers.slice(Math.min(scroll, workers.length - 1));
  if (remaining.flat().length <= room - 1) return [header, ...remaining.flat()];
  let count = 0;
  while (remaining.slice(0, count + 1).flat().length <= room - 2) count += 1;
  return [header, ...remaining.slice(0, count).flat(), [[`and ${remaining.length - count} more`, "dim"]]];
};

const TONES: Readonly<Record<WorkerInfo["state"], Tone>> = { starting: "plain", ready: "good", stopping: "warn" };

/** The values without a column on a narrow screen. */
const moreOf = (worker: WorkerInfo): readonly Line[] => {
  const again = worker.restarts ?? 0;
  const parts = [...(again > 0 ? [`${again} again`] : []), ...(remarkOn(worker) === null ? [] : [statusOf(worker)])];
  return parts.length === 0 ? [] : [[[`     ${parts.join(", ")}`, "dim"]]];
};

const statusOf = (worker: WorkerInfo): string => escapeControls(remarkOn(worker) ?? "");

/** In at most five columns. */
const amount = (bytes: number): string => {
  const units = ["K", "M", "G", "T"] as const;
  let remaining = bytes / 1024;
  let unit = 0;
  for (; remaining >= 1000 && unit < units.length - 1; unit++) remaining /= 1024;
  return `${remaining < 10 ? remaining.toFixed(1) : Math.round(remaining)}${units[unit] ?? ""}`;
};

/** Restart counts and status texts are rare: they have columns only if there are any. */
const workerColumns = (view: ServiceView, { look, ...frame }: Frame): readonly Column<WorkerInfo>[] => {
  const workers = isNarrow(frame) ? [] : (view.status?.workers ?? []);
  const haveStatus = workers.some((worker) => remarkOn(worker) !== null);
  return [
    { title: "ID", side: "right", width: 4, rank: 1, cell: (worker) => [String(worker.id), "plain"] },
    { title: "PID", side: "right", width: 7, rank: 3, cell: (worker) => [String(worker.pid ?? "-"), "plain"] },
    { title: "GEN", side: "right", width: 4, rank: 4, cell: (worker) => [String(worker.generation), "plain"] },
    { title: "STATE", side: "left", width: 8, rank: 0, cell: (worker) => [worker.state, TONES[worker.state]] },
    { title: "UP", side: "right", width: 10, rank: 7, cell: (worker) => [span(worker.uptime * 1000), "plain"] },
    ...(workers.some(({ restarts = 0 }) => restarts > 0) ? [RESTARTS] : []),
    {
      title: "MEM",
      side: "right",
      width: 5,
      rank: 8,
      cell: ({ usage }) => [usage?.memory == null ? "-" : amount(usage.memory), "plain"],
    },
    { title: "CPU", side: "right", width: 5, rank: 9, cell: (worker) => [percent(cpuShare(view, worker.id)), "plain"] },
    {
      title: "CONNS",
      side: "right",
      width: 6,
      rank: 2,
      cell: ({ usage }) => [String(usage?.connections ?? "-"), "plain"],
    },
    { ...mostColumn(view, look), ...(haveStatus ? {} : { grows: true }) },
    ...(haveStatus ? [STATUS] : []),
  ];
};

const RESTARTS: Column<WorkerInfo> = {
  title: "RESTARTS",
  side: "right",
  width: 8,
  rank: 6,
  cell: ({ restarts = 0 }) => [String(restarts), restarts > 0 ? "warn" : "dim"],
};

const STATUS: Column<WorkerInfo> = {
  title: "STATUS",
  side: "left",
  width: 16,
  grows: true,
  rank: 5,
  cell: (worker) => [statusOf(worker), "plain"],
};

const mostColumn = (view: ServiceView, look: Style): Column<WorkerInfo> => ({
  title: "OF ITS MOST",
  side: "left",
  width: 12,
  rank: 10,
  cell: ({ id, usage, state }, columns) => {
    const now = usage?.connections ?? null;
    const most = view.peaks.get(id) ?? 0;
    return now === null || most === 0
      ? ["", "plain"]
      : [bar({ done: now, whole: most }, Math.min(columns, 40), look), TONES[state]];
  },
});

const percent = (share: number | null): string => (share === null ? "-" : `${Math.round(share * 100)}%`);
