// All commands as one program, which the image holds. The keeper's program starts it with the name of a command.
// The globals come before any other module.
import "./host/engine/globals.ts";
import { COMPLETE, complete } from "./commands/completion/main.ts";
import { CRANK } from "./commands/crank/front-end.ts";
import { crankctl } from "./commands/crankctl/main.ts";
import { crankx } from "./commands/crankx/main.ts";
import { Output } from "./commands/output.ts";
import { runProgram } from "./commands/program.ts";
import { EINHORN } from "./frontends/einhorn/front-end.ts";
import { einhornsh } from "./frontends/einhornsh/main.ts";
import { EINHYRNINGSINS } from "./frontends/einhyrningsins/front-end.ts";
import { einhyrningsinsctl } from "./frontends/einhyrningsinsctl/main.ts";
import { SOCKETMASTER } from "./frontends/socketmaster/front-end.ts";
import { programOf } from "./host/engine/program.ts";
import { superviseAs } from "./supervisor/loop/main.ts";

const STDOUT = 1;
const STDERR = 2;

/** The supervisors have their keeper's name. */
const COMMANDS: Readonly<Record<string, () => Promise<unknown>>> = {
  crank: () => superviseAs(CRANK),
  crankctl: () =>
    runProgram("crankctl", (args, environment) =>
      args[0] === COMPLETE
        ? complete(args.slice(1), environment, new Output(STDOUT))
        : crankctl(args, environment, new Output(STDOUT), new Output(STDERR)),
    ),
  crankx: () =>
    runProgram("crankx", (args, environment) => crankx(args, environment, new Output(STDOUT), new Output(STDERR))),
  einhorn: () => superviseAs(EINHORN),
  einhornsh: () =>
    runProgram("einhornsh", (args, environment) =>
      einhornsh(args, environment, { out: new Output(STDOUT), err: new Output(STDERR) }),
    ),
  einhyrningsins: () => superviseAs(EINHYRNINGSINS),
  einhyrningsinsctl: () => runProgram("einhyrningsinsctl", (args) => einhyrningsinsctl(args, new Output(STDOUT))),
  socketmaster: () => superviseAs(SOCKETMASTER),
};

const WRONG_USAGE = 2;

const complain = (name: string): Promise<never> =>
  runProgram("crank", async () => {
    new Output(STDERR).write(`crank: no command "${name}": call it as one of ${Object.keys(COMMANDS).join(", ")}\n`);
    return WRONG_USAGE;
  });

programOf((name) => {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  void (command ?? (() => complain(name)))();
});
