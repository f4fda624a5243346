// einhorn's options, in the order in which -h shows them; the manual page einhorn(1) says more of each.
import type { OptionTable } from "../options.ts";

export const EINHORN_OPTIONS = {
  bind: {
    short: "b",
    argument: "ADDR:PORT[,r][,n]",
    repeats: true,
    help: "a socket for the workers; r (so_reuseaddr) takes its address over at once, with n (o_nonblock) it does not block",
  },
  "command-name": {
    short: "c",
    argument: "NAME",
    help: "the service's name: in the process title and in the paths below",
  },
  "socket-path": { short: "d", argument: "PATH", help: "where to make the control socket" },
  pidfile: { short: "e", argument: "PATH", help: "where to write the pid" },
  lockfile: { short: "f", argument: "PATH", help: "the lock file, which is not removed at exit" },
  "command-socket-as-fd": {
    short: "g",
    help: "workers get a descriptor that is connected to the control socket, in EINHORN_SOCK_FD",
  },
  help: { short: "h", help: "show this text" },
  "kill-children-on-exit": { short: "k", help: "send SIGUSR2 to the workers when the master ends for any reason" },
  backlog: { short: "l", argument: "N", help: "the length of the sockets' queues (default 100)" },
  "ack-mode": {
    short: "m",
    argument: "SECONDS|manual",
    help: "a worker is ready after this time (default 1), or, with manual, when it sends worker:ack",
  },
  number: { short: "n", argument: "COUNT", help: "how many workers to run (default 1)" },
  preload: { short: "p", argument: "PATH", help: "refused: this master cannot load Ruby code" },
  quiet: { short: "q", repeats: true, help: "log less" },
  verbose: { short: "v", repeats: true, help: "log more" },
  seconds: { short: "s", argument: "SECONDS", help: "minimum time between two starts (default 1)" },
  "drop-env-var": {
    argument: "VAR",
    repeats: true,
    help: "unset a variable, from the first upgrade on",
  },
  "reexec-as": {
    argument: "CMDLINE",
    help: "the command line with which an upgrade starts the new master; einhorn's options are appended",
  },
  "reexec-timeout": {
    argument: "SECONDS",
    help: "how long that command may take to check the new master, and to start it (default 60; 0: no limit)",
  },
  nice: {
    argument: "MASTER[:WORKER[:RENICE_CMD]]",
    help: "the nice levels of the master and the workers; if given, RENICE_CMD LEVEL -p PID sets them",
  },
  "with-state-fd": { argument: "FD", help: "only for the master itself" },
  "upgrade-check": { help: "exit with 0" },
  "signal-timeout": {
    short: "t",
    argument: "SECONDS",
    help: "send SIGKILL to workers that have been stopping for this long",
  },
  "max-unacked": {
    argument: "N",
    help: "how many workers may be starting at a time (default: the number of processors)",
  },
  "max-upgrade-additional": { argument: "N", help: "how many more workers than -n may run during an upgrade" },
  "gc-before-fork": { help: "accepted, without effect" },
  version: { help: "show the version" },
} as const satisfies OptionTable;
