// The command that starts a helper: a short-lived process of crank's own, which the keeper starts as it starts workers.
import { type Command, INHERITED_OOM_SCORE, SPAWN_FLAGS, UNCHANGED } from "../../keeper/protocol.ts";

type Spawn = Extract<Command, { kind: "spawn" }>;
/** What a helper is, and where it differs from the others. */
type Helper = Pick<Spawn, "worker" | "file" | "args"> & Partial<Omit<Spawn, "kind">>;

const NO_OUTPUT = 2;
const SIGKILL = 9;

/** The descriptor at which a helper says what it has found out. */
export const REPORT_FD = 3;

/** What the machine's supervisor told crank, and crank's own secret: none of it is for a worker or a helper. */
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

/** Starts a helper: without sockets and output, in a group of its own, and killed when the keeper dies. */
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
