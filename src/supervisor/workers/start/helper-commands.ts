// Commands that a front end has run on the side, as processes of the keeper: a supervisor that sleeps meanwhile misses nothing.
import { INHERITED_OOM_SCORE, type KeeperEvent, SPAWN_FLAGS, UNCHANGED } from "../../../keeper/protocol.ts";
import { describeErrno } from "../../os/errno.ts";
import { signalName, signalNumber } from "../../os/signals.ts";
import { type Memory, nextRequest } from "../../state/store.ts";
import { FIRST_ERRAND } from "../serving/probes.ts";
import { FOREIGN_VARIABLES } from "./launch.ts";

const NOTHING = 2;

/** Whether the keeper knows an errand under this worker number. */
export const isErrand = (worker: number): boolean => worker >= FIRST_ERRAND;

/** Has a shell run a command line. The front end hears of it only if it fails. */
export const runErrand = (memory: Memory, commandLine: string): void =>
  memory.outbox.command({
    kind: "spawn",
    worker: FIRST_ERRAND + nextRequest(memory),
    file: "/bin/sh",
    args: ["sh", "-c", commandLine],
    cwd: "",
    env: [],
    unset: FOREIGN_VARIABLES,
    ownPid: [],
    descriptors: [],
    stdin: 0,
    output: NOTHING,
    notifyFd: 0,
    notifyPath: "",
    identity: [],
    umask: UNCHANGED,
    limits: [],
    nice: 0,
    oomScore: INHERITED_OOM_SCORE,
    deathSignal: signalNumber("SIGKILL"),
    flags: SPAWN_FLAGS.group | SPAWN_FLAGS.helper,
    prefix: "",
    json: "",
    connectFd: 0,
    connectPath: "",
  });

/** An errand is done, or was never begun. */
export const errandIsGone = (memory: Memory, event: Extract<KeeperEvent, { kind: "exited" | "spawnFailed" }>): void => {
  const how = howItFailed(event);
  if (how !== null) memory.frontEnd.errandFailed?.(memory, how);
};

const howItFailed = (event: Extract<KeeperEvent, { kind: "exited" | "spawnFailed" }>): string | null => {
  if (event.kind === "spawnFailed") return `cannot be started: ${event.step}: ${describeErrno(event.errno)}`;
  if (event.ending !== 0) return `was ended by ${signalName(event.status)}`;
  return event.status === 0 ? null : `ended with status ${event.status}`;
};
