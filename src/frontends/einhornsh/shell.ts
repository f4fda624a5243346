// What einhornsh's shell has of its own.
import { EINHORN_COMMANDS } from "../../control/dialects/einhorn.ts";
import type { Shell } from "../line-shell.ts";

export const EINHORNSH_SHELL: Shell = {
  greeting: "",
  commands: Object.keys(EINHORN_COMMANDS),
  // What workers are sent by hand. The master takes any other signal too.
  signals: [
    ...["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGKILL", "SIGUSR1", "SIGUSR2"],
    ...["SIGTTIN", "SIGTTOU", "SIGSTOP", "SIGCONT"],
  ],
  takesSignal: /^\s*(?:die|signal(?:\s+\S+)*)\s+(\S*)$/,
};
