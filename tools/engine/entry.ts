// All commands as one bundle for the engine: what src/main.ts is for Bun. The name of the command is the first argument.
import { programOf } from "../../src/host/engine/program.ts";
import "./globals.ts";
// Evaluated while the image is built, so that a start has nothing left to load.
import "../../src/supervisor/main.ts";
import "../../src/commands/crankctl/main.ts";
import "../../src/commands/crank-front-end.ts";
import { beginProcess, process } from "./process.ts";

const COMMANDS: Readonly<Record<string, () => Promise<unknown>>> = {
  crank: () => import("../../src/commands/crank.ts"),
  crankctl: () => import("../../src/commands/crankctl.ts"),
  crankx: () => import("../../src/commands/crankx.ts"),
  einhorn: () => import("../../src/frontends/einhorn.ts"),
  einhornsh: () => import("../../src/frontends/einhornsh.ts"),
  einhyrningsins: () => import("../../src/frontends/einhyrningsins.ts"),
  einhyrningsinsctl: () => import("../../src/frontends/einhyrningsinsctl.ts"),
  socketmaster: () => import("../../src/frontends/socketmaster.ts"),
};

programOf((name) => {
  beginProcess();
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command !== undefined) return void command();
  process.stderr.write(`This is the runtime of crank; call one of ${Object.keys(COMMANDS).join(", ")} instead.\n`);
  process.exit(2);
});
