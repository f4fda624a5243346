// Locks that keep two cranks from using the same files. The lock of the run directory excludes a second crank of the
// same name. The record and the control socket have their own, because -conf and -ctl may name the same paths under
// another name.
import { host } from "#host";
import { describeErrno } from "../../core/errno.ts";
import type { KeeperEvent, SentCommand } from "../../keeper/protocol.ts";
import type { Settings } from "../state/settings.ts";
import type { Store } from "../state/store.ts";

/** `id` is the same for every supervisor of a crank. */
type Lock = { readonly kind: "name" | "record" | "control"; readonly id: number; readonly path: string };

/** The locks that a crank with these settings takes when it starts. */
export const locksOf = ({ runDirectory, recordPath, control }: Settings): readonly Lock[] => {
  const locks: Lock[] = [];
  if (runDirectory !== null) locks.push({ kind: "name", id: 1, path: `${runDirectory}/lock` });
  if (recordPath !== null) locks.push({ kind: "record", id: 2, path: `${recordPath}.lock` });
  const address = control?.address;
  if (address?.kind === "unix" && !address.path.startsWith("@"))
    locks.push({ kind: "control", id: 3, path: `${address.path}.lock` });
  return locks;
};

/** The command that takes a lock. */
export const lockCommand = ({ id, path }: Lock): SentCommand => ({ kind: "lock", id, path });

export type LockProblem =
  /** The holder is about to end. */
  | { readonly kind: "tryAgain"; readonly lock: Lock }
  /** This lock does not prevent the start. */
  | { readonly kind: "none" }
  | { readonly kind: "failure"; readonly message: string };

const EAGAIN = 11;
const PAUSE_MS = 10;
const PATIENCE_MS = 3_000;

/** What it means that a lock could not be taken. Waits a moment before it returns `tryAgain`. */
export const lockProblem = async (
  { platform, facts }: Store,
  settings: Settings,
  event: Extract<KeeperEvent, { kind: "failed" }>,
): Promise<LockProblem> => {
  const lock = locksOf(settings).find(({ id }) => id === event.id);
  if (!lock) return { kind: "none" };
  if (event.errno !== EAGAIN) return unusable(lock, event);
  const holder = platform.readText(lock.path);
  const pid = holder.kind === "text" ? holder.text.trim() : "";
  const isPatient = event.deliveredAt - facts.startedAt < PATIENCE_MS;
  // A killed crank keeps its locks until the kernel has cleaned it up; a new one has not written its pid yet.
  if (isPatient && (!/^\d+$/.test(pid) || platform.processes.facts(Number(pid)) === null)) {
    await new Promise<void>((done) => void host.clock.after(PAUSE_MS, done));
    return { kind: "tryAgain", lock };
  }
  return { kind: "failure", message: held(lock, settings, pid === "" ? "unknown" : pid) };
};

/**
 * A problem with the lock beside the control socket is ignored: opening the socket itself fails with a better message.
 */
const unusable = (lock: Lock, { errno, step }: Extract<KeeperEvent, { kind: "failed" }>): LockProblem =>
  lock.kind === "control"
    ? { kind: "none" }
    : { kind: "failure", message: `${lock.path}: cannot be locked: ${REFUSALS[step] ?? describeErrno(errno)}` };

/** How the keeper's files.c refuses a file. */
const REFUSALS: Readonly<Record<string, string>> = {
  type: "it is not a plain file; remove it",
  owner: "it belongs to another user; remove it",
  mode: "other users can write to it; remove it",
  links: "it has another name (a hard link); remove it",
};

const held = ({ kind }: Lock, { program, name, recordPath, control }: Settings, pid: string): string => {
  if (kind === "record")
    return `another crank records in ${recordPath}, with pid ${pid}; stop it, or choose another -conf`;
  // The conflict is about the control socket, not about the name.
  if (kind === "control" || program !== "crank")
    return `${control?.uri}: another process is listening on this socket, with pid ${pid}; stop it first, or choose another path`;
  const who = name === "" ? "a crank with these files" : `a crank with the name ${name}`;
  return `${who} is already running, with pid ${pid}; stop it, or choose another -name`;
};
