// Where a generation's workers run. What is given (a directory, a command) may be a link that is moved from release to release:
// a deploy resolves it, and what it led to is part of the generation, so that a worker that is started again, or a rollback
// to it, runs what was deployed and nothing else.
import { type Resolved, type Spec, sharedSpec } from "../../../core/model/spec.ts";
import type { Generation, State } from "../../../core/model/state.ts";
import type { GenerationNumber } from "../../../core/model/worker.ts";
import { recordEvent } from "../../events/supervisor-event.ts";
import type { Platform } from "../../os/platform.ts";
import { programPath } from "../../os/program-path.ts";
import type { Memory } from "../../state/store.ts";

/** The state with what is new in it resolved. */
export const withPins = (memory: Memory, before: State, state: State): State => {
  if (state.generations === before.generations) return state;
  const isNew = ({ number, spec }: Generation): boolean => !spec.resolved && !before.generations[number];
  const fresh = Object.values(state.generations).filter(isNew);
  if (fresh.length === 0) return state;
  const newest = state.history.at(-1)?.spec;
  const pinned = fresh.map((generation): [GenerationNumber, Generation] => {
    const spec = { ...generation.spec, resolved: resolve(memory, generation.spec) };
    return [generation.number, { ...generation, spec: sharedSpec(spec, newest) }];
  });
  return { ...state, generations: { ...state.generations, ...Object.fromEntries(pinned) } };
};

/** What directory and command lead to now. What leads nowhere stays as given: starting it fails, and says so. */
const resolve = (memory: Memory, spec: Spec): Resolved => {
  const { platform } = memory;
  const cwd = spec.cwd === "" ? "" : (platform.realPath(spec.cwd) ?? spec.cwd);
  const path = commandPath(memory, spec);
  const file = withoutLinks(platform, path);
  const name = inRealDirectory(platform, path);
  const isCalledByLink = spec.command[0]?.startsWith("/") === true && baseOf(file) !== baseOf(path) && name !== path;
  return { cwd, file, ...(isCalledByLink ? { name } : {}) };
};

/** Where the command's file is, by what was given. */
const commandPath = (memory: Memory, { command, cwd, callerCwd }: Spec): string => {
  const { platform, settings } = memory;
  const [program = ""] = command;
  const isRelative = !program.startsWith("/") && program.includes("/");
  const places = isRelative && cwd !== "" ? [callerCwd, settings?.cwd] : [];
  for (const place of places) {
    const path = `${place === "/" ? "" : place}/${program}`;
    if (place !== undefined && platform.isExecutable(path)) return path;
  }
  return programPath(memory, program, cwd);
};

/**
 * The file without links on the way. A program sees by what name it was called in its first argument, which stays as given;
 * only a script is told the path itself, so that one whose name is the link's keeps that.
 */
const withoutLinks = (platform: Platform, path: string): string => {
  const real = path.startsWith("/") ? platform.realPath(path) : null;
  if (real === null || baseOf(real) === baseOf(path) || platform.beginning(real)?.startsWith("#!") !== true)
    return real ?? path;
  return inRealDirectory(platform, path);
};

/** Without links on the way to the directory; what it is called there stays. */
const inRealDirectory = (platform: Platform, path: string): string => {
  const directory = path.startsWith("/") ? platform.realPath(path.slice(0, path.lastIndexOf("/")) || "/") : null;
  return directory === null ? path : `${directory === "/" ? "" : directory}/${baseOf(path)}`;
};

const baseOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

const isThere = ({ platform }: Memory, cwd: string): boolean => cwd === "" || platform.realPath(cwd) !== null;

/** Where a worker of this generation is started: where it was deployed, or, when that is gone, where what was given leads now, and that is told. */
export const startPlace = (memory: Memory, { number, spec }: Generation, worker: number, now: number): Resolved => {
  const { resolved } = spec;
  if (!resolved) return { cwd: spec.cwd, file: commandPath(memory, spec) };
  const gone = [
    ...(isThere(memory, resolved.cwd) ? [] : [resolved.cwd]),
    // What has no slash is looked for in PATH when it is executed.
    ...(memory.platform.isExecutable(resolved.file) || !resolved.file.startsWith("/") ? [] : [resolved.file]),
  ];
  if (gone.length === 0) return resolved;
  const again = resolve(memory, spec);
  if (again.cwd === resolved.cwd && again.file === resolved.file) return resolved;
  const { cwd, file } = again;
  recordEvent(memory, { kind: "releaseGone", generation: number, worker, gone: gone[0] ?? "", cwd, file }, now);
  return again;
};

/** The directory in which a worker of this spec is looked at from outside. */
export const directoryOf = (memory: Memory, { cwd, resolved }: Spec): string =>
  resolved && isThere(memory, resolved.cwd) ? resolved.cwd : cwd;

/** Why this spec cannot be run as it was, as a sentence's end; null: nothing that is known speaks against it. */
export const whyNotAgain = (memory: Memory, spec: Spec): string | null => {
  const { cwd, file } = spec.resolved ?? { cwd: spec.cwd, file: null };
  if (!isThere(memory, cwd)) return `the directory ${cwd}, in which it ran, is gone`;
  // One that was found in PATH can be another one by now: an interpreter that was updated.
  const isOwn = spec.command[0]?.includes("/") === true;
  if (file !== null && isOwn && file.startsWith("/") && !memory.platform.isExecutable(file))
    return `the program ${file}, which it ran, is gone`;
  return null;
};
