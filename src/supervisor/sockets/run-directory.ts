// The run directory: where it may be, what it contains, and how it is created.
import { recordEvent } from "../events/supervisor-event.ts";
import type { Settings } from "../state/settings.ts";
import type { Store } from "../state/store.ts";
import { lockCommand, locksOf } from "./locks.ts";

/** A file of the run directory; null: there is no such directory. */
export const runPath = ({ runDirectory }: Settings, name: "journal" | "notify"): string | null =>
  runDirectory === null ? null : `${runDirectory}/${name}`;

/**
 * A run directory that no flag names is beside the control socket. If other users can exchange it there, crank runs
 * without one; `problem` says why.
 */
export const withSafeRunDirectory = (
  { platform }: Store,
  settings: Settings,
): { readonly settings: Settings; readonly problem: string | null } => {
  const { program, name, runDirectory } = settings;
  const isNamed = program === "crank" && name !== "";
  const unsafe = isNamed || runDirectory === null ? null : platform.unsafeDirectory(runDirectory);
  if (unsafe === null) return { settings, problem: null };
  const problem = `The directory ${runDirectory} is not used: ${unsafe}. The journal is in memory, so workers cannot be adopted if crank is killed, and they get NOTIFY_FD but no NOTIFY_SOCKET`;
  return { settings: { ...settings, runDirectory: null }, problem };
};

/**
 * Where the files of crank's unix sockets have their second names (keeper/sockets/names.c). Only the owner can enter
 * it, because a socket may be protected by the directory of its first name.
 */
export const secondNames = ({ runDirectory }: Settings): string | null =>
  runDirectory === null ? null : `${runDirectory}/names`;

/**
 * Creates the missing ones of the default directories, and of those above them. Root's can be listed, so that services
 * are found; those of another user are closed, as the XDG Base Directory Specification wants. Returns the obstacle if
 * there is one.
 */
export const makeDefaultDirectories = ({ platform }: Store, directories: readonly string[]): string | null => {
  for (const directory of directories.flatMap(fromTheTop)) {
    if (platform.realPath(directory) !== null) continue;
    const failure = platform.ensureDirectory(directory, platform.uid === 0 ? "readable" : "owner");
    if (failure !== null) return `the directory ${directory} cannot be made: ${failure}; choose another with -prefix`;
  }
  return null;
};

/** `/a/b` as `/a` and `/a/b`. */
const fromTheTop = (path: string): readonly string[] => {
  const names = path.split("/").slice(1);
  return names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`);
};

/** Creates what is missing of the run directory. Returns the obstacle if there is one. */
export const makeRunDirectory = ({ platform }: Store, settings: Settings): string | null => {
  const names = secondNames(settings);
  for (const directory of [settings.runDirectory, runPath(settings, "notify"), names]) {
    const failure =
      directory === null ? null : platform.ensureDirectory(directory, directory === names ? "owner" : "passable");
    if (failure !== null) return `the directory ${directory} cannot be used: ${failure}`;
  }
  return null;
};

/**
 * Checks the run directory again, which another program may have removed (a cleaner of /tmp): workers need a notify
 * socket in it. The keeper's journal returns there by itself. The lock is taken again with it.
 */
export const restoreRunDirectory = (store: Store, now: number): void => {
  const { settings, platform } = store;
  const notify = settings === null ? null : runPath(settings, "notify");
  if (settings === null || notify === null || platform.realPath(notify) !== null) return;
  const failure = makeRunDirectory(store, settings);
  for (const lock of failure === null ? locksOf(settings) : []) store.batch.command(lockCommand(lock));
  recordEvent(store, { kind: "runDirectoryGone", directory: settings.runDirectory ?? notify, failure }, now);
};
