// socketmaster's flags, in the order in which -help shows them; the manual page socketmaster(1) says more of each.
import type { FlagTable } from "../../commands/flags.ts";

export const SOCKETMASTER_FLAGS = {
  command: { kind: "text", argument: "PATH", help: "the program to start; its arguments follow --" },
  listen: {
    kind: "text",
    argument: "URI",
    help: "the socket that it inherits: tcp, tcp4, tcp6, unix or fd (default tcp://:8080)",
  },
  start: {
    kind: "whole",
    argument: "MILLIS",
    max: 86_400_000,
    help: "how long a new process must run before the others are stopped (default 3000); 0: no wait",
  },
  syslog: { kind: "switch", help: "log to syslog instead of standard error" },
  user: { kind: "text", argument: "LOGIN", help: "run the program as this user (as root only)" },
  ctl: { kind: "text", argument: "URI", help: "a control socket for crankctl -ctl URI; none by default" },
  version: { kind: "switch", help: "print the version and exit" },
} as const satisfies FlagTable;
