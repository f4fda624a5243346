// Where a generation's workers run. The given directory or command may be a link that each release moves. A deploy
// resolves it, and the result belongs to the generation: a restarted worker, or a rollback, runs exactly what was
// deployed.
import { type Resolved, type Spec, sharedSpec } from "../../../core/model/spec.ts";
import type { Generation, State } from "../../../core/model/state.ts";
import type { GenerationNumber } from "../../../core/model/worker.ts";
import { recordEvent } from "../../events/supervisor-event.ts";
import type { Platform } from "../../os/platform.ts";
import { programPath } from "../../os/program-path.ts";
import type { Store } from "../../state/store.ts";

/** The state with its new generations resolved. */
export const withPins = (store: Store, before: State, state: State): State => {
  if (state.generations === before.generations) return state;
  const isNew = ({ number, spec }: Generation): boolean => !spec.resolved && !before.generations[number];
  const fresh = Object.values(state.generations).filter(isNew);
  if (fresh.length === 0) return state;
  const newest = state.history.at(-1)?.spec;
  const pinned = fresh.map((generation): [GenerationNumber, Generation] => {
    const spec = resolvedSpec(store, generation.spec);
    return [generation.number, { ...generation, spec: sharedSpec(spec, newest) }];
  });
  return { ...state, generations: { ...state.generations, ...Object.fromEntries(pinned) } };
};

/** The spec as it would run now: links followed. */
export const resolvedSpec = (store: Store, spec: Spec): Spec => ({ ...spec, resolved: resolve(store, spec) });

/**
 * Resolves directory and command. A path that leads nowhere stays as given: the start fails with an error that names
 * it.
 */
const resolve = (store: Store, spec: Spec): Resolved => {
  const { platform } = store;
  const cwd = spec.cwd === "" ? "" : (platform.realPath(spec.cwd) ?? spec.cwd);
  const path = commandPath(store, spec);
  const file = withoutLinks(platform, path);
  const name = inRealDirectory(platform, path);
  const isCalledByLink = spec.command[0]?.startsWith("/") === true && baseOf(file) !== baseOf(path) && name !== path;
  return { cwd, file, ...(isCalledByLink ? { name } : {}) };
};

/** The path of the command's file. */
const commandPath = (store: Store, { command, cwd, callerCwd }: Spec): string => {
  const { platform, settings } = store;
  const [program = ""] = command;
  const isRelative = !program.startsWith("/") && program.includes("/");
  const directories = isRelative && cwd !== "" ? [callerCwd, settings?.cwd] : [];
  for (const directory of directories) {
    const path = `${directory === "/" ? "" : directory}/${program}`;
    if (directory !== undefined && platform.isExecutable(path)) return path;
  }
  return programPath(store, program, cwd);
};

/**
 * The file with all links resolved. A program sees its name in its first argument, which stays as given. Only a script
 * gets the path itself, so a script whose link has another name keeps the link's name.
 */
const withoutLinks = (platform: Platform, path: string): string => {
  const real = path.startsWith("/") ? platform.realPath(path) : null;
  if (real === null || baseOf(real) === baseOf(path) || platform.beginning(real)?.startsWith("#!") !== true)
    return real ?? path;
  return inRealDirectory(platform, path);
};

/** Resolves the links of the directory, but keeps the file's name. */
const inRealDirectory = (platform: Platform, path: string): string => {
  const directory = path.startsWith("/") ? platform.realPath(path.slice(0, path.lastIndexOf("/")) || "/") : null;
  return directory === null ? path : `${directory === "/" ? "" : directory}/${baseOf(path)}`;
};

const baseOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

const isThere = ({ platform }: Store, cwd: string): boolean => cwd === "" || platform.realPath(cwd) !== null;

/**
 * Where a worker of this generation is started: where it was deployed. If that is gone, where the given path leads now,
 * which is reported.
 */
export const startingPoint = (store: Store, { number, spec }: Generation, worker: number, now: number): Resolved => {
  const { resolved } = spec;
  if (!resolved) return { cwd: spec.cwd, file: commandPath(store, spec) };
  const gone = [
    ...(isThere(store, resolved.cwd) ? [] : [resolved.cwd]),
    // Without a slash it is looked up in PATH when it is executed.
    ...(store.platform.isExecutable(resolved.file) || !resolved.file.startsWith("/") ? [] : [resolved.file]),
  ];
  if (gone.length === 0) return resolved;
  const again = resolve(store, spec);
  if (again.cwd === resolved.cwd && again.file === resolved.file) return resolved;
  const { cwd, file } = again;
  recordEvent(store, { kind: "releaseGone", generation: number, worker, gone: gone[0] ?? "", cwd, file }, now);
  return again;
};

/** The directory of a worker of this spec, for looking at it from outside. */
export const directoryOf = (store: Store, { cwd, resolved }: Spec): string =>
  resolved && isThere(store, resolved.cwd) ? resolved.cwd : cwd;

/** Why this spec cannot be run as it was, as the end of a sentence; null: no obstacle is known. */
export const whyNotAgain = (store: Store, spec: Spec): string | null => {
  const { cwd, file } = spec.resolved ?? { cwd: spec.cwd, file: null };
  if (!isThere(store, cwd)) return `its directory ${cwd} was removed`;
  // A program that was found in PATH may have been replaced: an interpreter that was updated.
  const isOwn = spec.command[0]?.includes("/") === true;
  if (file !== null && isOwn && file.startsWith("/") && !store.platform.isExecutable(file))
    return `its program ${file} was removed`;
  return null;
};
