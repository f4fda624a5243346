// The one program that bin/runtime is: every command, compiled ahead of time together with the runtime that it needs.
// The keeper's executable calls it with the command's name as the first argument.

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

const name = process.argv.splice(2, 1)[0] ?? "";
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (!command) {
  process.stderr.write(`This is the runtime of crank; call one of ${Object.keys(COMMANDS).join(", ")} instead.\n`);
  process.exit(2);
}
await command();

export {};
