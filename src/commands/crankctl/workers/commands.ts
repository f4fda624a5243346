// crankctl ps, kill and scale.
import type { Selector } from "../../../control/messages.ts";
import { type FlagTable, type FlagValues, UsageError } from "../../flags.ts";
import { command, refuseOperands } from "../command.ts";
import { measured } from "./measured.ts";
import { workerLines, workerTable } from "./table.ts";

const FAILED = 1;

const SELECTOR_FLAGS = {
  starting: { kind: "switch", group: "Selection", help: "workers that are starting" },
  ready: { kind: "switch", group: "Selection", help: "workers that are ready" },
  stopping: { kind: "switch", group: "Selection", help: "workers that are stopping" },
  pid: {
    kind: "whole",
    argument: "PID",
    max: 4_194_304,
    group: "Selection",
    help: "the worker with this pid; 0 is any",
  },
} as const satisfies FlagTable;

const selector = (flags: FlagValues<typeof SELECTOR_FLAGS>): Selector => ({
  ...(flags.starting === true ? { starting: true } : {}),
  ...(flags.ready === true ? { ready: true } : {}),
  ...(flags.stopping === true ? { stopping: true } : {}),
  ...(flags.pid === undefined || flags.pid === 0 ? {} : { pid: flags.pid }),
});

export const ps = command({
  name: "ps",
  summary: "list the workers",
  usage: "[flags]",
  about: ['Lists all workers, or the selected ones: PID ID STATE "CWD" [COMMAND], or on a terminal a table.'],
  examples: ["crankctl ps", "crankctl ps -ready -json"],
  flags: SELECTOR_FLAGS,
  placement: "anywhere",
  prepare: (flags, operands) => {
    refuseOperands(operands, "-pid");
    return async (session) => {
      // The plain lines need no measurement.
      const isTable = session.json || session.out.isTerminal;
      const which = selector(flags);
      const workers = await session.ask((client) =>
        isTable ? measured(client, "ps", which) : client.call("ps", which),
      );
      session.print(workers, () => (isTable ? workerTable(workers) : workerLines(workers)));
      return 0;
    };
  },
});

export const kill = command({
  name: "kill",
  summary: "send a signal to workers",
  usage: "[flags]",
  about: ["Sends a signal, by default SIGTERM, to the selected workers."],
  examples: ["crankctl kill -ready -signal HUP", "crankctl kill -pid 4211 -wait"],
  flags: {
    signal: { kind: "text", argument: "NAME", help: "which signal, with or without SIG, in any case (TERM)" },
    wait: { kind: "switch", help: "wait until the signalled workers have exited" },
    ...SELECTOR_FLAGS,
  },
  placement: "anywhere",
  prepare: (flags, operands) => {
    refuseOperands(operands, "-pid");
    const which = selector(flags);
    if (Object.keys(which).length === 0)
      throw new UsageError("worker: none selected. Use -starting, -ready, -stopping or -pid PID.");
    return async (session) => {
      const params = {
        ...which,
        ...(flags.signal === undefined ? {} : { signal: flags.signal }),
        ...(flags.wait === true ? { wait: true } : {}),
      };
      const result = await session.ask((client) => client.call("kill", params));
      if (session.json) session.print(result, () => "");
      if (result.pids.length > 0) return 0;
      if (which.pid === undefined) {
        session.err.write("No worker was signalled: none matches the selection.\n");
        return 0;
      }
      session.err.write(`crankctl kill: -pid ${which.pid}: no selected worker has this pid. crankctl ps lists them.\n`);
      return FAILED;
    };
  },
});

export const scale = command({
  name: "scale",
  summary: "change the number of workers",
  usage: "N | -by N",
  about: ["Sets or changes the number of workers. Surplus workers are stopped, the oldest first."],
  examples: ["crankctl scale 4", "crankctl scale -by -1"],
  flags: {
    by: { kind: "whole", argument: "N", min: -1000, max: 1000, help: "add N workers; -by -1 removes one" },
  },
  placement: "anywhere",
  prepare: (flags, operands) => {
    const params = scaleParams(flags.by, operands);
    return async (session) => {
      const result = await session.ask((client) => client.call("scale", params));
      session.print(result, ({ from, to }) => `Scaled from ${from} to ${to}\n`);
      return 0;
    };
  },
});

const scaleParams = (by: number | undefined, operands: readonly string[]): { to: number } | { by: number } => {
  const [text] = operands;
  if (text !== undefined && by !== undefined)
    throw new UsageError(`-by: excludes N, which is ${text}. Omit one of them.`);
  if (text === undefined && by === undefined)
    throw new UsageError("N: missing. Use scale N to set the number of workers, or scale -by N to add to it.");
  if (text === undefined) return { by: by ?? 0 };
  refuseOperands(operands.slice(1));
  if (!/^\d{1,4}$/.test(text) || Number(text) > 1000)
    throw new UsageError(`N ${JSON.stringify(text)}: must be a whole number from 0 to 1000`);
  return { to: Number(text) };
};
