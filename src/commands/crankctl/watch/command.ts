// crankctl watch: its command line. The other files of this folder draw the pages.
import { UsageError } from "../../flags.ts";
import { command } from "../command.ts";
import { controlAddress, directoriesOf } from "../session.ts";
import { type Watched, watchUntilQuit } from "./main.ts";

export const watch = command({
  name: "watch",
  summary: "watch a service, or all services, on the whole terminal",
  usage: "[PREFIX] [flags]",
  about: [
    "Shows the service with its rollout and drains as bars, what the next replacement waits for, its workers with their status texts, and the events, on the whole terminal, until q is typed. Without a name, or with PREFIX, it shows all services whose control sockets begin with PREFIX.",
    "Keys: r reloads, + and - scale, b rolls back (it asks before it stops workers); j and k or the arrows move, Enter opens a service of the list, Esc goes back, q quits.",
    "Without a terminal, or on one of unknown type (TERM), it prints lines. NO_COLOR turns colours off.",
  ],
  examples: ["crankctl watch", "crankctl watch -name web"],
  flags: {},
  placement: "anywhere",
  findsServices: true,
  operands: "services",
  prepare: (_, operands, { flags, environment }) => {
    const [prefix, more] = operands;
    if (more !== undefined) throw new UsageError(`${JSON.stringify(more)}: unexpected argument`);
    if (flags.json === true) throw new UsageError("-json: watch has no JSON. Use events -json or status -json.");
    const isOne = prefix === undefined && ((flags.name ?? "") !== "" || flags.ctl !== undefined);
    return async (session) => {
      const watched: Watched = isOne
        ? { kind: "one", name: flags.name ?? flags.ctl ?? "", address: await controlAddress(flags, environment) }
        : { kind: "all", prefix: prefix ?? "", directories: directoriesOf(flags, environment) };
      return await watchUntilQuit(watched, environment, session);
    };
  },
});
