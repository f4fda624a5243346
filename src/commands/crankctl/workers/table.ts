// Workers as crankctl shows them: the original's lines for programs, a table for people.
import type { Usage, WorkerInfo } from "../../../control/messages.ts";
import { escapeControls, quoted, size, span, table } from "../../terminal.ts";

/** `PID ID STATE "CWD" [COMMAND]`, one line per worker. */
export const workerLines = (workers: readonly WorkerInfo[]): string => {
  const ends = new Map<string, string>();
  const lines = workers.map((worker) => {
    // Workers of one generation have the same directory and command.
    const key = `${worker.cwd}\0${worker.command.join("\0")}`;
    const end = ends.get(key) ?? `${quoted(worker.cwd)} [${commandText(worker)}]\n`;
    ends.set(key, end);
    return `${worker.pid ?? 0} ${worker.id} ${worker.state.toUpperCase()} ${end}`;
  });
  return lines.join("");
};

/** A table with a header. */
export const workerTable = (workers: readonly WorkerInfo[]): string => {
  // Stored descriptors and status texts are rare.
  const hasTaken = workers.some(({ descriptors }) => descriptors !== undefined);
  const hasStatus = workers.some((worker) => remarkOn(worker) !== null);
  return table(
    [
      ">PID",
      ">ID",
      ">GEN",
      "STATE",
      ">UP",
      ">RESTARTS",
      ">MEMORY",
      ">CPU",
      ">CONNECTIONS",
      ...(hasTaken ? [">TAKEN"] : []),
      ...(hasStatus ? ["STATUS"] : []),
      "DIRECTORY",
      "COMMAND",
    ],
    workers.map((worker) => [
      String(worker.pid ?? "-"),
      String(worker.id),
      String(worker.generation),
      worker.state,
      span(worker.uptime * 1000),
      String(worker.restarts ?? "-"),
      ...usageCells(worker.usage),
      ...(hasTaken ? [String(worker.descriptors ?? "-")] : []),
      ...(hasStatus ? [statusText(remarkOn(worker) ?? "-")] : []),
      directoryText(worker),
      commandText(worker),
    ]),
  );
};

/** The status of a worker: that its main process has ended, or its own status text; null: none. */
export const remarkOn = ({ rest, status }: WorkerInfo): string | null =>
  rest === undefined ? (status ?? null) : `main process ended, ${rest} left`;

/** The length of a status text in the table; `-json` has the whole text. */
const STATUS_WIDTH = 40;
const statusText = (text: string): string => {
  const shown = escapeControls(text);
  return shown.length > STATUS_WIDTH ? `${shown.slice(0, STATUS_WIDTH - 1)}…` : shown;
};

/** Memory, processor time and connections; a dash means unknown. */
const usageCells = (usage: Usage | null | undefined): readonly string[] => [
  usage?.memory == null ? "-" : size(usage.memory),
  usage == null ? "-" : span(usage.cpu * 1000),
  String(usage?.connections ?? "-"),
];

/** A directory as given and, if it had links, the target at its deploy. */
export const directoryText = ({ cwd, resolved }: Pick<WorkerInfo, "cwd" | "resolved">): string =>
  escapeControls(resolved === undefined || resolved.cwd === cwd ? cwd : `${cwd} -> ${resolved.cwd}`);

/** A command line as given, on one line. */
export const commandText = (of: { readonly command: readonly string[] }): string =>
  escapeControls(of.command.join(" "));
