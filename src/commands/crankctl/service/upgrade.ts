// crankctl upgrade: replaces crank itself with the installed program or another one.
import { host } from "#host";
import type { UpgradeDone } from "../../../control/messages.ts";
import { UsageError } from "../../flags.ts";
import { command, refuseOperands } from "../command.ts";

export const upgrade = command({
  name: "upgrade",
  summary: "replace crank itself with the installed version",
  usage: "[-wait] [-exec PATH] [flags]",
  about: [
    "Replaces crank's own processes with the program that is now at the path by which crank was started, like SIGUSR1. The pid, the sockets, workers, connections and the rollout in flight are kept. The new program is checked first: if it cannot continue from the current state, nothing changes.",
  ],
  examples: ["crankctl upgrade -wait", "crankctl upgrade -wait -exec /opt/crank-2/bin/crank"],
  flags: {
    wait: { kind: "switch", help: "wait until the upgrade is done or refused" },
    exec: { kind: "text", argument: "PATH", help: "the new program: the bin/crank of another installation" },
  },
  placement: "anywhere",
  prepare: (flags, operands) => {
    refuseOperands(operands);
    if (flags.exec === "") throw new UsageError('-exec "": must be the path of a program');
    const exec = flags.exec === undefined ? {} : { exec: absolute(flags.exec) };
    const wait = flags.wait === true ? { wait: true } : {};
    return async (session) => {
      const { done } = await session.ask((client) => client.call("upgrade", { ...exec, ...wait }));
      session.print({ done }, () => describe(done));
      return 0;
    };
  },
});

/** crank has another working directory. */
const absolute = (path: string): string =>
  path.startsWith("/") ? path : `${host.processes.workingDirectory()}/${path}`;

const describe = (done: UpgradeDone | null): string => {
  if (done === null) return "The upgrade has begun\n";
  return `Upgraded from ${done.from} to ${done.to}, ${done.keeper ? "supervisor and keeper" : "the supervisor"}\n`;
};
