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
  lockfile: { short: "f", argument: "PATH", help: "the lock file, which stays" },
  "command-socket-as-fd": {
    short: "g",
    help: "workers get a descriptor that is connected to the control socket, in EINHORN_SOCK_FD",
  },
  help: { short: "h", help: "show this text" },
  "kill-children-on-exit": { short: "k", help: "when the master ends, however it does, workers get SIGUSR2" },
  backlog: { short: "l", argument: "N", help: "the length of the sockets' queues (default 100)" },
  "ack-mode": {
    short: "m",
    argument: "SECONDS|manual",
    help: "a worker is ready when it has lived this long (default 1), or when it sends worker:ack",
  },
  number: { short: "n", argument: "COUNT", help: "how many workers to have (default 1)" },
  preload: { short: "p", argument: "PATH", help: "not possible here: workers are programs of their own" },
  quiet: { short: "q", repeats: true, help: "say less in the log" },
  verbose: { short: "v", repeats: true, help: "say more in the log" },
  seconds: { short: "s", argument: "SECONDS", help: "at most one worker is started in this time (default 1)" },
  "drop-env-var": {
    argument: "VAR",
    repeats: true,
    help: "unset a variable, from the first upgrade on",
  },
  "reexec-as": {
    argument: "CMDLINE",
    help: "the command line by which an upgrade starts the new master; it gets einhorn's options behind it",
  },
  "reexec-timeout": {
    argument: "SECONDS",
    help: "how long that command may take to check, and to start, the new master (default 60, 0: for ever)",
  },
  nice: {
    argument: "MASTER[:WORKER[:RENICE_CMD]]",
    help: "the nice levels of the master and of the workers, which RENICE_CMD LEVEL -p PID sets, if it is given",
  },
  "with-state-fd": { argument: "FD", help: "for the master itself" },
  "upgrade-check": { help: "exit with 0: this program can be upgraded to" },
  "signal-timeout": {
    short: "t",
    argument: "SECONDS",
    help: "SIGKILL for workers that have been stopping for this long",
  },
  "max-unacked": {
    argument: "N",
    help: "how many workers may be getting ready at a time (default: the number of processors)",
  },
  "max-upgrade-additional": { argument: "N", help: "how many more workers than wanted there may be in an upgrade" },
  "gc-before-fork": { help: "accepted, without effect" },
  version: { help: "show the version" },
} as const satisfies OptionTable;
