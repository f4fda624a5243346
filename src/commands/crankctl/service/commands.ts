// crankctl status, info, history and shutdown: one request each.
import { host } from "#host";
import type { HistoryEntry, Info, RolloutInfo, Status } from "../../../control/messages.ts";
import { VERSION } from "../../../version.ts";
import { escapeControls, since, table } from "../../terminal.ts";
import { command, refuseOperands } from "../command.ts";
import { pauses, waitsForDrain } from "../deploy/progress.ts";
import { measured } from "../workers/measured.ts";
import { commandText, directoryText, workerTable } from "../workers/table.ts";

export const status = command({
  name: "status",
  summary: "show the service: sockets, rollout, workers",
  usage: "[flags]",
  about: [
    "Shows the service with its sockets and their connections, the rollout in flight, and the workers with the resources that they use.",
  ],
  examples: ["crankctl status", "crankctl status -name web -json"],
  flags: {},
  placement: "anywhere",
  prepare: (_, operands) => {
    refuseOperands(operands);
    return async (session) => {
      session.print(await session.ask((client) => measured(client, "status", {})), describeStatus);
      return 0;
    };
  },
});

/** A status for people. */
const describeStatus = (status: Status): string =>
  [summary(status), sockets(status), stored(status), rollout(status), draining(status), workers(status)]
    .filter((part) => part !== "")
    .join("\n");

const summary = (status: Status): string => {
  const { name, pid, generation, instances, restarts } = status;
  const ready = status.workers.filter((worker) => worker.state === "ready").length;
  const serves = generation === null ? "nothing deployed yet" : `generation ${generation}`;
  const phase = status.phase === "stopping" ? ", shutting down" : "";
  const restarted = restarts === 0 ? "" : `, ${restarts} started again`;
  return (
    `${name === "" ? "crank" : escapeControls(name)}: ${serves}, ${ready} of ${instances} ready${restarted}${phase}\n` +
    `crank is pid ${pid}, up ${since(status.startedAt)}\n${lastFailure(status)}${(status.unwritten ?? []).map((what) => UNWRITTEN[what]).join("")}`
  );
};

const lastFailure = ({ lastFailure: text }: Status): string =>
  text === undefined ? "" : `Last failure: ${escapeControls(text)}\n`;

const UNWRITTEN = {
  journal:
    "The journal cannot be written to disk and is kept in memory: if crank is killed, the next one recovers less\n",
  record: "The record cannot be written: a reboot would start an earlier generation\n",
} as const;

const sockets = (status: Status): string => {
  const rows = status.sockets.map((socket) => [
    escapeControls(socket.name),
    escapeControls(socket.address),
    socket.queue === null ? "-" : `${socket.queue} of ${socket.limit ?? "?"}`,
    String(socket.connections ?? "-"),
    String(socket.drops ?? "-"),
  ]);
  const problems = status.sockets.flatMap(({ name, problem }) =>
    problem === undefined ? [] : [`${escapeControls(name)}: ${escapeControls(problem)}\n`],
  );
  if (rows.length === 0) return "";
  return `${table(["SOCKET", "ADDRESS", ">WAITING", ">CONNECTIONS", ">DROPPED"], rows)}${problems.join("")}`;
};

const MOST_NAMES = 10;

const stored = ({ stored }: Status): string => {
  if (stored === undefined) return "";
  const names = stored.names.slice(0, MOST_NAMES).map(escapeControls);
  const more = stored.names.length > MOST_NAMES ? ", …" : "";
  return `Stored for a later worker: ${stored.count} of ${stored.limit} descriptors (${names.join(", ")}${more})\n`;
};

const rollout = ({ rollout: now }: Status): string => {
  if (now === null) return "";
  const parts = [
    `${now.available} of ${now.wanted} available`,
    `${now.ready} ready`,
    `${now.starting} starting`,
    `${now.oldLeft} old left`,
    ...(now.attemptsLeft === 0 ? [] : [`attempts left: ${now.attemptsLeft}`]),
    ...(now.waiting ? [waits(now.waiting)] : []),
  ];
  return `Rolling out generation ${now.generation} for ${since(now.startedAt)}: ${parts.join(", ")}\n`;
};

const waits = (waiting: NonNullable<RolloutInfo["waiting"]>): string => {
  if (waiting.kind === "draining") return waitsForDrain(waiting.limit);
  return pauses(Math.max(0, Date.parse(waiting.until) - host.clock.wallNow()));
};

const draining = ({ draining: now }: Status): string => {
  if (!now || now.workers === 0) return "";
  const { workers: count, generations, limit } = now;
  const who = `${count} of generation${generations.length === 1 ? "" : "s"} ${generations.join(", ")}`;
  return `Draining: ${who}${limit === null ? "" : `, at most ${limit}`}\n`;
};

const workers = (status: Status): string => (status.workers.length === 0 ? "" : workerTable(status.workers));

export const info = command({
  name: "info",
  summary: "show versions and pids",
  usage: "[flags]",
  about: ["Shows the versions of crankctl and crank, their runtime, and when crank was started."],
  examples: ["crankctl info"],
  flags: {},
  placement: "anywhere",
  prepare: (_, operands) => {
    refuseOperands(operands);
    return async (session) => {
      const about = await session.ask((client) => client.call("info", {}));
      session.print({ client: VERSION, ...about }, () => describeInfo(about));
      return 0;
    };
  },
});

const describeInfo = (about: Info): string => {
  const lines: [string, string | number][] = [
    ["crankctl", VERSION],
    ["crank", about.version],
    ["keeper", about.keeperVersion],
    ["protocol", about.protocol],
    ["name", about.name],
    ["pid", about.pid],
    ["supervisor", `pid ${about.supervisorPid}, ${about.runtime}`],
    ["up", since(about.startedAt)],
    ...(about.timeZone === undefined ? [] : ([["times in the log", `UTC${about.timeZone}`]] as [string, string][])),
    ["upgrades", about.upgrades],
    ["supervisor deaths", about.supervisorDeaths],
  ];
  const width = Math.max(...lines.map(([label]) => label.length));
  return lines.map(([label, value]) => `${label.padEnd(width)}  ${escapeControls(String(value))}\n`).join("");
};

export const history = command({
  name: "history",
  summary: "list the good runs that rollback can go back to",
  usage: "[flags]",
  about: ["Lists the last good runs, newest last; the current one has an asterisk."],
  examples: ["crankctl history", "crankctl history -json"],
  flags: {},
  placement: "anywhere",
  prepare: (_, operands) => {
    refuseOperands(operands);
    return async (session) => {
      session.print(await session.ask((client) => client.call("history", {})), describeHistory);
      return 0;
    };
  },
});

const describeHistory = (entries: readonly HistoryEntry[]): string =>
  table(
    ["", ">GEN", "AT", ">WORKERS", "DIRECTORY", "COMMAND"],
    entries.map((entry) => [
      entry.current ? "*" : "",
      String(entry.generation),
      escapeControls(entry.at),
      String(entry.instances),
      directoryText(entry),
      commandText(entry),
    ]),
  );

export const shutdown = command({
  name: "shutdown",
  summary: "stop the workers and crank",
  usage: "[-wait] [flags]",
  about: [
    "Closes the sockets, stops every worker, and ends crank when all have exited. A second shutdown takes the next stop step at once.",
  ],
  examples: ["crankctl shutdown -wait"],
  flags: { wait: { kind: "switch", help: "wait until the last worker has exited" } },
  placement: "anywhere",
  prepare: (flags, operands) => {
    refuseOperands(operands);
    const waits = flags.wait === true;
    return async (session) => {
      const result = await session.ask((client) => client.call("shutdown", waits ? { wait: true } : {}));
      session.print(result, ({ workers }) => (waits ? "Shut down\n" : `Shutting down, workers left: ${workers}\n`));
      return 0;
    };
  },
});
