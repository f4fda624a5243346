// All commands as one program, which the image holds. The keeper's program starts it with the name of a command.
import { programOf } from "./host/engine/program.ts";
// Evaluated while the image is built, so that a start has nothing left to load.
import "./supervisor/main.ts";
import "./commands/crankctl/main.ts";
import "./commands/crank-front-end.ts";
import { Output } from "./commands/output.ts";
import { runProgram } from "./commands/program.ts";

/** Each begins when its module is loaded. */
const COMMANDS: Readonly<Record<string, () => Promise<unknown>>> = {
  crank: () => import("./commands/crank.ts"),
  crankctl: () => import("./commands/crankctl.ts"),
  crankx: () => import("./commands/crankx.ts"),
  einhorn: () => import("./frontends/einhorn.ts"),
  einhornsh: () => import("./frontends/einhornsh.ts"),
  einhyrningsins: () => import("./frontends/einhyrningsins.ts"),
  einhyrningsinsctl: () => import("./frontends/einhyrningsinsctl.ts"),
  socketmaster: () => import("./frontends/socketmaster.ts"),
};

const WRONG_USAGE = 2;

const complain = (name: string): Promise<never> =>
  runProgram("crank", async () => {
    new Output(2).write(`crank: no command "${name}": call it as one of ${Object.keys(COMMANDS).join(", ")}\n`);
    return WRONG_USAGE;
  });

programOf((name) => {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  void (command ?? (() => complain(name)))();
});
