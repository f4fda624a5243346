// The locks that keep two cranks from each other's files. That of the run directory tells two of one name apart; beside
// the record and the control socket there is one more, since -conf and -ctl lead there whatever the name is.
import { host } from "#host";
import { describeErrno } from "../../core/errno.ts";
import type { KeeperEvent, SentCommand } from "../../keeper/protocol.ts";
import type { Settings } from "../state/settings.ts";
import type { Memory } from "../state/store.ts";

/** `id` is the same for every supervisor of a crank. */
type Lock = { readonly kind: "name" | "record" | "control"; readonly id: number; readonly path: string };

/** The locks that a crank with these settings takes at its start. */
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
  /** Whoever had it is about to be gone. */
  | { readonly kind: "tryAgain"; readonly lock: Lock }
  /** It is not this one that keeps crank from starting. */
  | { readonly kind: "none" }
  | { readonly kind: "failure"; readonly message: string };

const EAGAIN = 11;
const PAUSE_MS = 10;
const PATIENCE_MS = 3_000;

/** What a lock that could not be taken means. Waits a moment before it says that it should be tried again. */
export const lockProblem = async (
  { platform, facts }: Memory,
  settings: Settings,
  event: Extract<KeeperEvent, { kind: "failed" }>,
): Promise<LockProblem> => {
  const lock = locksOf(settings).find(({ id }) => id === event.id);
  if (!lock) return { kind: "none" };
  if (event.errno !== EAGAIN) return unusable(lock, event);
  const holder = platform.readText(lock.path);
  const pid = holder.kind === "text" ? holder.text.trim() : "";
  const isPatient = event.deliveredAt - facts.startedAt < PATIENCE_MS;
  // One that was killed has its locks until the kernel has taken it apart; one that has just begun has not said its pid yet.
  if (isPatient && (!/^\d+$/.test(pid) || platform.processes.facts(Number(pid)) === null)) {
    await new Promise<void>((done) => void host.clock.after(PAUSE_MS, done));
    return { kind: "tryAgain", lock };
  }
  return { kind: "failure", message: held(lock, settings, pid === "" ? "unknown" : pid) };
};

/** What keeps the lock beside the control socket from being made says more when it keeps the socket from being made, too. */
const unusable = (lock: Lock, { errno, step }: Extract<KeeperEvent, { kind: "failed" }>): LockProblem =>
  lock.kind === "control"
    ? { kind: "none" }
    : { kind: "failure", message: `${lock.path}: cannot be locked: ${REFUSALS[step] ?? describeErrno(errno)}` };

/** What the keeper's files.c says of a file that it does not use. */
const REFUSALS: Readonly<Record<string, string>> = {
  type: "it is not a plain file; remove it",
  owner: "it belongs to another user; remove it",
  mode: "other users can write to it; remove it",
  links: "it is another file, too (a hard link); remove it",
};

const held = ({ kind }: Lock, { program, name, recordPath, control }: Settings, pid: string): string => {
  if (kind === "record")
    return `another crank records in ${recordPath} already, with pid ${pid}; stop that one, or choose another -conf`;
  // Where it is not the name that leads to the files, the control socket does.
  if (kind === "control" || program !== "crank")
    return `${control?.uri}: another process is listening on this socket, with pid ${pid}; stop it first, or choose another path`;
  const who = name === "" ? "a crank with these files" : `a crank with the name ${name}`;
  return `${who} is running already, with pid ${pid}; stop that one, or choose another -name`;
};
