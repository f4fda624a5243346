// What einhyrningsinsctl's shell has of its own.
import { COMMANDS, SIGNALS } from "../../control/dialects/einhyrningsins.ts";
import type { Shell } from "../line-shell.ts";

export const EINHYRNINGSINSCTL_SHELL: Shell = {
  greeting: "The shell of einhyrningsins: enter 'help' for the commands, 'quit' to leave\n",
  commands: Object.keys(COMMANDS),
  signals: SIGNALS,
  takesSignal: /^\s*signal\s+(\S*)$/,
};
