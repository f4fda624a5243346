// The command that starts a helper: a short-lived process of crank's own, started by the keeper like a worker.
import { type Command, INHERITED_OOM_SCORE, SPAWN_FLAGS, UNCHANGED } from "../../keeper/protocol.ts";

type Spawn = Extract<Command, { kind: "spawn" }>;
/** A helper, and its differences from the defaults. */
type Helper = Pick<Spawn, "worker" | "file" | "args"> & Partial<Omit<Spawn, "kind">>;

const NO_OUTPUT = 2;
const SIGKILL = 9;

/** The descriptor on which a helper reports its result. */
export const REPORT_FD = 3;

/** Variables from the service manager, and crank's token: neither workers nor helpers get them. */
export const FOREIGN_VARIABLES: readonly string[] = [
  "LISTEN_FDS",
  "LISTEN_PID",
  "LISTEN_FDNAMES",
  "LISTEN_PIDFDID",
  "NOTIFY_SOCKET",
  "NOTIFY_FD",
  "WATCHDOG_USEC",
  "WATCHDOG_PID",
  "STOP_TIMEOUT_USEC",
  "FDSTORE",
  "MAINPID",
  "CRANK_CTL_TOKEN",
];

/** Starts a helper: without sockets and output, in its own process group, and killed when the keeper dies. */
export const helperProcess = (helper: Helper): Spawn => ({
  kind: "spawn",
  cwd: "/",
  env: [],
  unset: FOREIGN_VARIABLES,
  ownPid: [],
  descriptors: [],
  stdin: 0,
  output: NO_OUTPUT,
  notifyFd: 0,
  notifyPath: "",
  identity: [],
  umask: UNCHANGED,
  limits: [],
  nice: 0,
  oomScore: INHERITED_OOM_SCORE,
  deathSignal: SIGKILL,
  flags: SPAWN_FLAGS.group | SPAWN_FLAGS.helper,
  prefix: "",
  json: "",
  connectFd: 0,
  connectPath: "",
  ...helper,
});
