// einhyrningsins' options, in the order in which --help shows them; the manual page einhyrningsins(1) says more of each.
import type { OptionTable } from "../options.ts";

/** The default path of the control socket. */
export const DEFAULT_SOCKET_PATH = "/tmp/einhorn.sock";

export const EINHYRNINGSINS_OPTIONS = {
  number: { short: "n", argument: "COUNT", help: "how many workers to start (default 1)" },
  bind: {
    short: "b",
    argument: "ADDR:PORT[,OPT...]",
    repeats: true,
    help: "a socket for the workers; r: SO_REUSEADDR, which is always set; n: it does not block (O_NONBLOCK)",
  },
  "ipv4-only": { short: "4", help: "accept IPv4 addresses only" },
  "ipv6-only": { short: "6", help: "accept IPv6 addresses only" },
  manual: {
    short: "m",
    help: "a worker is healthy when it acknowledges on the control socket within 3 seconds; without -m, after 3 seconds",
  },
  retries: { short: "r", argument: "COUNT", help: "how many times to start a worker until it is healthy (default 1)" },
  "socket-path": {
    short: "d",
    argument: "PATH",
    help: `where to make the control socket (default ${DEFAULT_SOCKET_PATH})`,
  },
  "drop-env-var": { argument: "VAR", repeats: true, help: "unset a variable in the workers' environment" },
  verbose: { short: "v", help: "log every step" },
  syslog: { help: "send warnings and errors to syslog too" },
  help: { short: "h", help: "show this text" },
  version: { help: "show the version" },
} as const satisfies OptionTable;
